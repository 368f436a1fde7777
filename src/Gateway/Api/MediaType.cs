namespace PmrGateway.Gateway.Api;

/// <summary>Media types, compared without their parameters and in any case. https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1</summary>
internal static class MediaType
{
    /// <summary>JSON Patch (RFC 6902).</summary>
    public const string JsonPatch = "application/json-patch+json";

    /// <summary>What a patch comes in.</summary>
    public static IReadOnlyList<string> Patches { get; } = [JsonPatch, "application/fhir+json"];

    /// <summary>Whether a text, with or without parameters, is one of some media types.</summary>
    public static bool Is(string? text, params ReadOnlySpan<string> types)
    {
        var type = text.AsSpan();
        if (type.IndexOf(';') is var end and >= 0) type = type[..end];
        type = type.Trim();
        foreach (var each in types)
            if (type.Equals(each, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }

    /// <summary>Whether an element of Accept is a type, or a range that it is in.</summary>
    /// <param name="range">E.g. <c>image/*;q=0.8</c>.</param>
    /// <param name="type">The type, with or without parameters.</param>
    public static bool Covers(string range, string? type)
    {
        var whole = (type ?? "").Split(';')[0].Trim();
        return Is(range, "*/*", whole, whole.Split('/')[0] + "/*");
    }

    /// <summary>Whether it is FHIR in JSON.</summary>
    public static bool IsFhirJson(string? text) => Is(text, "application/fhir+json", "application/json", "text/json");
}
