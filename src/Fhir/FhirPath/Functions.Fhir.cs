namespace PmrGateway.Fhir;

/// <summary>What FHIR adds to FHIRPath. https://hl7.org/fhir/R4/fhirpath.html#functions</summary>
internal static partial class Functions
{
    private static void AddFhir()
    {
        // Their arguments are types; the compiler makes the test itself.
        foreach (var name in new[] { "is", "as", "ofType" }) AddLambda(name, 1, 1, (on, _) => on);
        Add("type", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) =>
        {
            for (var i = start; i < c.Count; i++) c.Set(i, Item.Of(TypeOf(c[i])));
        });
        Add("now", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => Put(c, start, FhirTemporal.Of(c.Now)));
        Add(
            "today",
            0,
            0,
            (FhirPathContext c, int start, in Item _, Expr[] _) => Put(c, start, FhirTemporal.Of(c.Now).To(TemporalKind.Date)));
        Add(
            "timeOfDay",
            0,
            0,
            (FhirPathContext c, int start, in Item _, Expr[] _) => Put(c, start, FhirTemporal.Of(c.Now).To(TemporalKind.Time)));
        Add("hasValue", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) =>
            Replace(c, start, c.Count == start + 1 && (c[start].IsNode ? c[start].HasScalar : c[start].Boxed is not null)));
        Add(
            "getValue",
            0,
            0,
            (FhirPathContext c, int start, in Item _, Expr[] _) =>
                Put(c, start, c.Count == start + 1 && (!c[start].IsNode || c[start].HasScalar) ? c[start].Value : null));
        Add("extension", 1, 1, (FhirPathContext c, int start, in Item focus, Expr[] a) =>
        {
            var url = a[0].Single(c, focus) as string;
            var end = c.Count;
            for (var i = start; i < end; i++) c.PushChildren(c[i], c.Schema.Names.IdOf("extension"));
            c.Remove(start, end);
            Keep(c, start, (_, item) => item.Row >= 0 && url is not null && item.Node.StringAt("url") == url);
        });
        Add(
            "htmlChecks",
            0,
            0,
            (FhirPathContext c, int start, in Item _, Expr[] _) =>
                Replace(c, start, c.Count > start ? c[start].Value is string text && Narrative.Check(text) is null : null));
        Add("memberOf", 1, 1, (FhirPathContext c, int start, in Item focus, Expr[] a) =>
        {
            var valueSet = (a[0].Single(c, focus) as string)?.Split('|')[0];
            var answer = c.Count == start + 1 && valueSet is not null ? MemberOf(c, c[start], valueSet) : null;
            Replace(c, start, answer);
        });
        Add("conformsTo", 1, 1, (FhirPathContext c, int start, in Item focus, Expr[] a) =>
        {
            var url = a[0].Single(c, focus) as string;
            var answer = c.Count == start + 1 && url is not null ? Conforms(c, c[start], url) : null;
            Replace(c, start, answer);
        });
        Add("resolve", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) =>
        {
            var end = c.Count;
            for (var i = start; i < end; i++) Resolve(c, c[i]);
            c.Remove(start, end);
        });
        // What these two ask of definitions is asked by the validator, element by element.
        Add("elementDefinition", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => c.Truncate(start));
        Add("checkModifiers", 0, 8, (FhirPathContext _, int _, in Item _, Expr[] _) => { });
    }

    private static void Put(FhirPathContext c, int start, object? value)
    {
        c.Truncate(start);
        c.Push(value);
    }

    /// <summary>Whether a code, Coding or CodeableConcept is in a value set; null: it cannot be told.</summary>
    public static bool? MemberOf(FhirPathContext c, in Item item, string valueSet)
    {
        if (item.Value is string code) return c.Terminology.Contains(valueSet, null, code);
        if (item.Row < 0) return null;
        bool? any = false;
        foreach (var coding in item.Type?.Name == "CodeableConcept" ? item.Node.ItemsAt("coding") : [item.Node])
        {
            if (coding.StringAt("code") is not { } text) continue;
            if (c.Terminology.Contains(valueSet, coding.StringAt("system") ?? "", text) is not { } answer) any = null;
            else if (answer) return true;
        }
        return any;
    }

    private static bool? Conforms(FhirPathContext c, in Item item, string url)
    {
        if (c.Schema.TypeOfCanonical(url) is { } type) return item.Type?.Is(type);
        return c.ConformsTo is { } hook && hook(item, url) is { } answer
            ? answer
            : throw FhirPathException.Execution($"the profile {url} is not known");
    }

    private static void Resolve(FhirPathContext c, in Item item)
    {
        var text = item.Value as string ?? (item.Row >= 0 && item.IsNode ? item.Node.StringAt("reference") : null);
        if (text is not null
            && ReferenceResolver.Find(item.IsNode ? item.Document! : c.RootResource.Document, c.Resource, text) is { } found)
        {
            c.Push(Item.OfNode(found));
            return;
        }
        if (!c.ResolvesToStubs) return;
        var name = text is null ? null : FhirReference.TypeNamed(text);
        name ??= item.Row >= 0 && item.IsNode && item.Node.Kind == System.Text.Json.JsonTokenType.StartObject
            ? item.Node.StringAt("type")
            : null;
        if (name is not null && c.Schema.Type(name) is { Kind: TypeKind.Resource } type) c.Push(Item.Stub(type));
    }
}
