using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// What a request takes for an answer: media ranges with their qualities, of which the narrowest that holds a type speaks for it.
/// https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
/// </summary>
internal sealed class Accept
{
    private readonly List<(string Range, bool IsTaken)> _ranges = [];

    private Accept()
    {
    }

    /// <summary>Whether FHIR in JSON is named, and not only within a range.</summary>
    public bool NamesFhir => _ranges.Exists(r => r.IsTaken && MediaType.IsFhirJson(r.Range));

    /// <summary>Whether FHIR in JSON is what is wanted most of what is taken, or named first of what is wanted as much.</summary>
    public bool NamesFhirFirst => _ranges.Find(r => r.IsTaken).Range is { } first && MediaType.IsFhirJson(first);

    /// <summary>Whether FHIR in JSON is taken.</summary>
    public bool TakesFhir => NamesFhir || Takes("application/fhir+json");

    /// <summary>Reads the header. Without one, everything is taken.</summary>
    public static Accept Of(StringValues header)
    {
        var accept = new Accept();
        var elements = header.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        foreach (var element in elements.OrderByDescending(Quality))
        {
            // Of another FHIR than ours is not what we make (R4 http.html#version-parameter).
            var isTaken = Quality(element) > 0 && MediaType.IsOfR4(element);
            accept._ranges.Add((element.Split(';')[0].Trim(), isTaken));
        }
        return accept;
    }

    /// <summary>Whether a type is taken.</summary>
    /// <param name="type">With or without parameters.</param>
    public bool Takes(string? type)
    {
        if (_ranges.Count == 0) return true;
        var whole = (type ?? "").Split(';')[0].Trim();
        foreach (var range in (string[])[whole, whole.Split('/')[0] + "/*", "*/*"])
        {
            var same = _ranges.FindAll(r => r.Range.Equals(range, StringComparison.OrdinalIgnoreCase));
            if (same.Count > 0) return same.Exists(r => r.IsTaken);
        }
        return false;
    }

    // What is no number takes nothing.
    private static double Quality(string element) => MediaType.Parameter(element, "q") is not { } text ? 1
        : double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var q) ? q
        : 0;
}
