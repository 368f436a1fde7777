using System.Net.Http.Headers;
using Microsoft.Extensions.Primitives;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Media types, compared in any case and without their parameters, and what these say.
/// https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1
/// </summary>
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

    /// <summary>A parameter of a media type, without its quotes; null: it has none of that name.</summary>
    public static string? Parameter(string text, string name)
    {
        foreach (var part in text.Split(';').Skip(1))
        {
            var (key, value) = part.IndexOf('=') is var at and >= 0 ? (part[..at], part[(at + 1)..]) : (part, "");
            if (key.Trim().Equals(name, StringComparison.OrdinalIgnoreCase)) return value.Trim().Trim('"');
        }
        return null;
    }

    /// <summary>Whether it is of the FHIR that is spoken here, or does not say (R4 http.html#version-parameter).</summary>
    public static bool IsOfR4(string text) => Parameter(text, "fhirVersion") is null or "4.0";

    /// <summary>Why a body is not taken though its type is: it says that it is in other characters, or of another FHIR.</summary>
    public static Outcome? Refusal(string? contentType)
    {
        if (Parameter(contentType ?? "", "charset") is { } charset && !charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase))
            return Outcome.Of(OutcomeCategory.UnsupportedMediaType, "Content-Type: a body is in UTF-8 (charset)");
        return IsOfR4(contentType ?? "")
            ? null
            : Outcome.Of(OutcomeCategory.UnsupportedMediaType, "Content-Type: the gateway speaks FHIR 4.0 (fhirVersion)");
    }

    /// <summary>
    /// Why a request for an answer in FHIR is refused: <c>_format</c>, which stands before Accept, or Accept asks for another form.
    /// https://hl7.org/fhir/R4/http.html#mime-type
    /// </summary>
    /// <param name="format">The values of <c>_format</c>.</param>
    /// <param name="accept">The header; null: what is asked for has none, or may be of any type.</param>
    public static Outcome? NotAcceptable(StringValues format, Accept? accept)
    {
        var isMade = format.ToString() is { Length: > 0 } asked ? IsFormat(asked) : accept?.TakesFhir ?? true;
        return isMade ? null : Outcome.Of(OutcomeCategory.NotAcceptable, "the gateway answers in application/fhir+json of FHIR 4.0");
    }

    // In a URL a + that is not escaped is a space.
    private static bool IsFormat(string format) =>
        (IsFhirJson(format) || Is(format, "json", "application/fhir json")) && IsOfR4(format);

    /// <summary>Whether it is written as a media type is, and a header can hold it.</summary>
    public static bool IsWellFormed(string? text) =>
        MediaTypeHeaderValue.TryParse(text, out _) && text!.All(c => c is >= ' ' and <= '~');

    /// <summary>Whether it is FHIR in JSON.</summary>
    public static bool IsFhirJson(string? text) => Is(text, "application/fhir+json", "application/json", "text/json");
}
