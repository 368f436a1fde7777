using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>Contained resources: they have ids that are told apart, and are not contained in each other. https://hl7.org/fhir/R4/references.html#contained</summary>
internal static class ContainedRules
{
    public static void Check(ValidationRun run, ElementNode holder)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var i = 0;
        foreach (var contained in holder.ItemsAt("contained"))
        {
            var path = $"contained[{i++}]";
            if (contained.Kind != JsonTokenType.StartObject) continue;
            if (contained.StringAt("id") is not { } id) run.Sink.Error(IssueCode.Required, contained, "a contained resource has an id", path);
            else if (!seen.Add(id)) run.Sink.Error(IssueCode.Structure, contained, "two contained resources have the same id", path);
        }
    }
}
