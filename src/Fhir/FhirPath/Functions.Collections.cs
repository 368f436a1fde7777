namespace PmrGateway.Fhir;

internal static partial class Functions
{
    private static void AddCollections()
    {
        Add("empty", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => Replace(c, start, c.Count == start));
        Add("count", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) =>
        {
            var count = c.Count - start;
            c.Truncate(start);
            c.Push((object)count);
        });
        Add("not", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => Replace(c, start, !Expr.Truth(c, start)));
        Add("first", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => c.Truncate(Math.Min(c.Count, start + 1)));
        Add("last", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => c.Remove(start, Math.Max(start, c.Count - 1)));
        Add("tail", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => c.Remove(start, Math.Min(c.Count, start + 1)));
        Add("skip", 1, 1, (FhirPathContext c, int start, in Item focus, Expr[] a) => c.Remove(start, start + Math.Clamp(Integer(c, focus, a[0]), 0, c.Count - start)));
        Add("take", 1, 1, (FhirPathContext c, int start, in Item focus, Expr[] a) => c.Truncate(start + Math.Clamp(Integer(c, focus, a[0]), 0, c.Count - start)));
        Add("single", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) =>
        {
            if (c.Count > start + 1) throw FhirPathException.Execution("single() of several items");
        });
        Add("distinct", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => Distinct(c, start));
        Add("isDistinct", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) =>
        {
            var before = c.Count;
            Distinct(c, start);
            Replace(c, start, c.Count == before);
        });
        Add("allTrue", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => Replace(c, start, c.Slice(start).All(i => i.Value is true)));
        Add("anyTrue", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => Replace(c, start, c.Slice(start).Any(i => i.Value is true)));
        Add("allFalse", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => Replace(c, start, c.Slice(start).All(i => i.Value is false)));
        Add("anyFalse", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => Replace(c, start, c.Slice(start).Any(i => i.Value is false)));
        AddSets();
        Add("children", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) =>
        {
            var end = c.Count;
            for (var i = start; i < end; i++) c.PushChildren(c[i], -1);
            c.Remove(start, end);
        });
        Add("descendants", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) =>
        {
            var end = c.Count;
            for (var i = start; i < end; i++) c.PushChildren(c[i], -1);
            c.Remove(start, end);
            for (var i = start; i < c.Count; i++) c.PushChildren(c[i], -1);
        });
    }

    private static void AddSets()
    {
        // Sets beside each other on the stack: [start, middle) and [middle, count).
        void Both(string name, Action<FhirPathContext, int, int> of) => Add(name, 1, 1, (FhirPathContext c, int start, in Item focus, Expr[] a) =>
        {
            var middle = c.Count;
            a[0].Eval(c, focus);
            of(c, start, middle);
        });
        Both("combine", (_, _, _) => { });
        Both("union", (c, start, _) => Distinct(c, start));
        Both("subsetOf", (c, start, middle) => Replace(c, start, AllIn(c, start, middle, middle, c.Count)));
        Both("supersetOf", (c, start, middle) => Replace(c, start, AllIn(c, middle, c.Count, start, middle)));
        Both("exclude", (c, start, middle) => Pick(c, start, middle, wanted: false));
        Both("intersect", (c, start, middle) =>
        {
            Pick(c, start, middle, wanted: true);
            Distinct(c, start);
        });
    }

    private static void Pick(FhirPathContext c, int start, int middle, bool wanted)
    {
        var to = start;
        for (var i = start; i < middle; i++)
            if (IsIn(c, c[i], middle, c.Count) == wanted) c.Set(to++, c[i]);
        c.Truncate(to);
    }

    private static bool AllIn(FhirPathContext c, int from, int to, int set, int setEnd)
    {
        for (var i = from; i < to; i++)
            if (!IsIn(c, c[i], set, setEnd)) return false;
        return true;
    }

    private static bool IsIn(FhirPathContext c, in Item item, int set, int setEnd)
    {
        for (var i = set; i < setEnd; i++)
            if (FhirPathValues.AreEqual(item, c[i]) == true) return true;
        return false;
    }

    private static int Integer(FhirPathContext c, in Item focus, Expr argument) =>
        argument.Single(c, focus) switch { int i => i, null => 0, _ => throw FhirPathException.Execution("an integer was expected") };
}
