using System.Globalization;
using System.Text;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>A value given in a profile: fixed[x] must be equal, pattern[x] contained.</summary>
internal sealed class ValueRule : ElementRule
{
    private readonly ResourceDocument _document;

    public ValueRule(string json, bool isFixed)
    {
        IsFixed = isFixed;
        _document = ResourceDocument.TryParse(Encoding.UTF8.GetBytes($"{{\"value\":{json}}}"), out var document, out var issue)
            ? document!
            : throw new MalformedElementException(issue!.Text);
    }

    public bool IsFixed { get; }

    public ElementNode Value => _document.Root["value"]!.Value;

    public static void Build(RuleSource source)
    {
        foreach (var name in new[] { "fixed", "pattern" })
        {
            foreach (var (type, value) in source.Choices(name))
            {
                if (source.Schema.Type(type) is null && source.Schema.Type(char.ToLowerInvariant(type[0]) + type[1..]) is null)
                    throw new MalformedElementException($"there is no type {type} for {name}{type}");
                if (source.Element.Rules.Exists(r => r is ValueRule))
                    throw new MalformedElementException("two values are fixed for one element");
                source.Element.Rules.Add(new ValueRule(value.GetRawText(), name == "fixed"));
            }
        }
    }

    public override void Check(ProfileRun run, in Item item, ElementNode at)
    {
        if (!Holds(item))
            run.Error(
                IssueCode.Value,
                at,
                IsFixed
                    ? "the value is not the one that the profile fixes"
                    : "the value does not hold what the profile's pattern asks for");
    }

    /// <summary>Whether an instance has the value.</summary>
    public bool Holds(in Item item) => item.Row >= 0 && Holds(item.Node, Value, IsFixed);

    /// <summary>Whether a value equals another, or holds all that is in it.</summary>
    public static bool Holds(ElementNode node, ElementNode pattern, bool isFixed)
    {
        if (pattern.Kind == JsonTokenType.StartArray)
        {
            if (node.Kind != JsonTokenType.StartArray || (isFixed && node.ChildCount != pattern.ChildCount)) return false;
            foreach (var wanted in pattern)
            {
                var any = false;
                foreach (var item in node) any |= Holds(item, wanted, isFixed);
                if (!any) return false;
            }
            return true;
        }
        if (node.Kind != pattern.Kind) return false;
        if (pattern.Kind != JsonTokenType.StartObject)
            return node.Kind == JsonTokenType.Number
                && decimal.TryParse(node.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var a)
                && decimal.TryParse(pattern.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var b)
                ? a == b
                : node.Text == pattern.Text;
        if (isFixed && node.ChildCount != pattern.ChildCount) return false;
        foreach (var wanted in pattern)
            if (node[wanted.Name!] is not { } child || !Holds(child, wanted, isFixed)) return false;
        return true;
    }
}
