using System.Globalization;
using System.Xml.Linq;

namespace PmrGateway.Fhir;

/// <summary>Finds the element of an XML document that the FHIRPath of an issue means.</summary>
internal static class XmlPlace
{
    /// <summary>The element, or the nearest above it that there is.</summary>
    /// <param name="root">The resource.</param>
    /// <param name="expression">Names and indexes, e.g. <c>Bundle.entry[1].resource.name[0]</c>.</param>
    public static XElement Find(XElement root, string expression)
    {
        var at = root;
        foreach (var step in expression.Split('.').Skip(1))
        {
            var bracket = step.IndexOf('[');
            var name = bracket < 0 ? step : step[..bracket];
            var index = bracket < 0
                ? 0
                : int.Parse(step.AsSpan(bracket + 1, step.Length - bracket - 2), NumberStyles.None, CultureInfo.InvariantCulture);
            if (at.Elements().Where(e => IsNamed(e.Name.LocalName, name)).ElementAtOrDefault(index) is not { } next) return at;
            // What contains a resource in XML holds an element of its type.
            at = next.Elements().ToList() is [var only] && char.IsAsciiLetterUpper(only.Name.LocalName[0]) ? only : next;
        }
        return at;
    }

    // A choice has its type at its name: value, valueQuantity.
    private static bool IsNamed(string local, string name) =>
        local == name || (local.StartsWith(name, StringComparison.Ordinal) && char.IsAsciiLetterUpper(local[name.Length]));
}
