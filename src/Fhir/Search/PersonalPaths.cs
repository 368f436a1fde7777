namespace PmrGateway.Fhir;

/// <summary>Which search expressions select what names a person, by the types of the elements on their way.</summary>
internal sealed class PersonalPaths(FhirSchema schema)
{
    private static readonly HashSet<string> Naming = ["Identifier", "HumanName", "Address", "ContactPoint"];
    private static readonly HashSet<string> BirthDates = ["Patient.birthDate", "Person.birthDate", "RelatedPerson.birthDate"];

    /// <summary>Whether an expression of a resource type selects an element that names a person, or a part of one.</summary>
    public bool Names(Syntax expression, string type)
    {
        var names = false;
        Walk(expression);
        return names;

        IReadOnlyList<string> Walk(Syntax? at)
        {
            switch (at)
            {
                case Syntax.Member { On: null } root when schema.IsResourceType(root.Name) || root.Name is "Resource" or "DomainResource":
                    return [type];
                case Syntax.Member { On: null } own:
                    return Step([type], own.Name);
                case Syntax.Member member:
                    return Step(Walk(member.On), member.Name);
                case Syntax.Call call:
                    return Walk(call.On);
                case Syntax.Indexer indexer:
                    return Walk(indexer.On);
                case Syntax.TypeTest test:
                    return Walk(test.Operand);
                case Syntax.Binary binary:
                    return [.. Walk(binary.Left), .. Walk(binary.Right)];
                default:
                    return [];
            }
        }

        List<string> Step(IReadOnlyList<string> from, string name)
        {
            var found = new List<string>();
            foreach (var holder in from)
            {
                if (BirthDates.Contains($"{holder}.{name}")) names = true;
                for (var definition = schema.Type(holder); definition is not null; definition = definition.Base)
                    if (definition.Elements.FirstOrDefault(e => e.Name == name) is { } element)
                        found.AddRange(element.Types.Select(t => t.Name));
            }
            names |= found.Exists(Naming.Contains);
            return found;
        }
    }
}
