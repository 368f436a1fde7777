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
        Add(
            "skip",
            1,
            1,
            (FhirPathContext c, int start, in Item focus, Expr[] a) =>
                c.Remove(start, start + Math.Clamp(Integer(c, focus, a[0]), 0, c.Count - start)));
        Add(
            "take",
            1,
            1,
            (FhirPathContext c, int start, in Item focus, Expr[] a) =>
                c.Truncate(start + Math.Clamp(Integer(c, focus, a[0]), 0, c.Count - start)));
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
        foreach (var truth in new[] { true, false })
        {
            Add(
                "all" + truth,
                0,
                0,
                (FhirPathContext c, int start, in Item _, Expr[] _) =>
                    Replace(c, start, c.Slice(start).All(i => Looked(c, i) is bool b && b == truth)));
            Add(
                "any" + truth,
                0,
                0,
                (FhirPathContext c, int start, in Item _, Expr[] _) =>
                    Replace(c, start, c.Slice(start).Any(i => Looked(c, i) is bool b && b == truth)));
        }
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
        // The argument lies on the stack behind the input: [start, middle) and [middle, count).
        void Both(string name, Action<FhirPathContext, int, int> of) =>
            Add(name, 1, 1, (FhirPathContext c, int start, in Item focus, Expr[] a) =>
        {
            var middle = c.Count;
            a[0].Eval(c, focus);
            of(c, start, middle);
        });
        void WithSet(string name, Action<FhirPathContext, int, ItemSet> of) =>
            Add(name, 1, 1, (FhirPathContext c, int start, in Item focus, Expr[] a) =>
        {
            var middle = c.Count;
            var set = a[0].IsFixed ? c.SetOf(a[0]) : null;
            if (set is null)
            {
                a[0].Eval(c, focus);
                set = ItemSet.Of(c, middle, c.Count);
                c.Truncate(middle);
            }
            of(c, start, set);
        });
        Both("combine", (_, _, _) => { });
        Both("union", (c, start, _) => Distinct(c, start));
        Both("supersetOf", (c, start, middle) => Replace(c, start, AllIn(c, middle, c.Count, ItemSet.Of(c, start, middle))));
        WithSet("subsetOf", (c, start, set) => Replace(c, start, AllIn(c, start, c.Count, set)));
        WithSet("exclude", (c, start, set) => Keep(c, start, (_, item) => !set.Holds(item)));
        WithSet("intersect", (c, start, set) =>
        {
            Keep(c, start, (_, item) => set.Holds(item));
            Distinct(c, start);
        });
    }

    private static object? Looked(FhirPathContext c, in Item item)
    {
        c.Look(item);
        return item.Value;
    }

    private static bool AllIn(FhirPathContext c, int from, int to, ItemSet set)
    {
        for (var i = from; i < to; i++)
            if (!set.Holds(c[i])) return false;
        return true;
    }

    private static int Integer(FhirPathContext c, in Item focus, Expr argument) =>
        argument.Single(c, focus) switch { int i => i, null => 0, _ => throw FhirPathException.Execution("an integer was expected") };
}
