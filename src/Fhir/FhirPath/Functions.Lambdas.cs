using System.Runtime.ExceptionServices;

namespace PmrGateway.Fhir;

internal static partial class Functions
{
    private const int MaxRepeats = 100_000;

    private static void AddLambdas()
    {
        AddLambda("where", 1, 1, (on, a) => new EachExpr(on, (FhirPathContext c, in Item item, int _) =>
        {
            if (a[0].Test(c, item) == true) c.Push(item);
        }));
        AddLambda("select", 1, 1, (on, a) => new EachExpr(on, (FhirPathContext c, in Item item, int _) => a[0].Eval(c, item)));
        AddLambda("exists", 0, 1, (on, a) => new ExistsExpr(on, a.Length == 0 ? null : a[0]));
        AddLambda("all", 1, 1, (on, a) => new AllExpr(on, a[0]));
        AddLambda("iif", 2, 3, (on, a) => new IifExpr(on, a));
        AddLambda("repeat", 1, 1, (on, a) => new RepeatExpr(on, a[0]));
        AddLambda("aggregate", 1, 2, (on, a) => new AggregateExpr(on, a));
        AddLambda("sort", 0, 8, (on, a) => new SortExpr(on, a));
        AddLambda("defineVariable", 1, 2, (on, a) => new DefineExpr(on, a));
        AddLambda("trace", 1, 2, (on, a) => new TraceExpr(on, a));
    }

    private delegate void ItemBody(FhirPathContext c, in Item item, int index);

    /// <summary>Something for each item, with $index.</summary>
    private sealed class EachExpr(Expr on, ItemBody body) : Expr
    {
        public override void Eval(FhirPathContext c, in Item focus)
        {
            var start = c.Count;
            on.Eval(c, focus);
            var (end, outer, variables) = (c.Count, c.Index, c.Variables);
            for (var i = start; i < end; i++)
            {
                c.Index = i - start;
                // A copy: the stack may move while the body pushes.
                var item = c[i];
                body(c, item, i - start);
                c.Variables = variables;
            }
            c.Index = outer;
            c.Remove(start, end);
        }
    }

    private sealed class ExistsExpr(Expr on, Expr? criteria) : Expr
    {
        public override void Eval(FhirPathContext c, in Item focus) => c.Push(Test(c, focus)!.Value);

        public override bool? Test(FhirPathContext c, in Item focus)
        {
            var start = c.Count;
            on.Eval(c, focus);
            var (end, outer, found, variables) = (c.Count, c.Index, false, c.Variables);
            for (var i = start; i < end && !found; i++)
            {
                c.Index = i - start;
                var item = c[i];
                found = criteria is null || criteria.Test(c, item) == true;
                c.Variables = variables;
            }
            c.Index = outer;
            c.Truncate(start);
            return found;
        }
    }

    private sealed class AllExpr(Expr on, Expr criteria) : Expr
    {
        public override void Eval(FhirPathContext c, in Item focus)
        {
            var start = c.Count;
            on.Eval(c, focus);
            var (end, outer, all, variables) = (c.Count, c.Index, true, c.Variables);
            for (var i = start; i < end && all; i++)
            {
                c.Index = i - start;
                var item = c[i];
                all = criteria.Test(c, item) == true;
                c.Variables = variables;
            }
            c.Index = outer;
            c.Truncate(start);
            c.Push(all);
        }
    }

    private sealed class IifExpr(Expr on, Expr[] arguments) : Expr
    {
        public override void Eval(FhirPathContext c, in Item focus)
        {
            var start = c.Count;
            on.Eval(c, focus);
            if (c.Count > start + 1) throw FhirPathException.Execution("iif() is asked of one item, there are several");
            // Of no item the criterion is asked of nothing, not of what stands outside.
            var item = c.Count > start ? c[start] : Item.Nothing;
            c.Truncate(start);
            var chosen = arguments[0].Single(c, item) switch
            {
                true => arguments[1],
                false or null => arguments.Length > 2 ? arguments[2] : null,
                _ => throw FhirPathException.Semantic("the criterion of iif() is a Boolean"),
            };
            chosen?.Eval(c, item);
        }
    }

    private sealed class RepeatExpr(Expr on, Expr projection) : Expr
    {
        public override void Eval(FhirPathContext c, in Item focus)
        {
            var start = c.Count;
            on.Eval(c, focus);
            var (end, variables) = (c.Count, c.Variables);
            // An element is known by its place, a computed value by what it equals.
            var (places, values) = (new HashSet<(ResourceDocument?, int, int)>(), new ItemSet(c));
            for (var i = start; i < c.Count; i++)
            {
                var (before, item) = (c.Count, c[i]);
                projection.Eval(c, item);
                c.Variables = variables;
                var to = before;
                for (var j = before; j < c.Count; j++)
                {
                    var found = c[j];
                    if (found.IsNode ? places.Add((found.Document, found.Row, found.Sibling)) : values.Add(found)) c.Set(to++, found);
                }
                c.Truncate(to);
                if (c.Count - start > MaxRepeats) throw FhirPathException.TooCostly("repeat() does not end");
            }
            c.Remove(start, end);
        }
    }

    private sealed class AggregateExpr(Expr on, Expr[] arguments) : Expr
    {
        public override void Eval(FhirPathContext c, in Item focus)
        {
            var start = c.Count;
            on.Eval(c, focus);
            var (end, outerTotal, outerIndex, variables) = (c.Count, c.Total, c.Index, c.Variables);
            var total = Array.Empty<Item>();
            if (arguments.Length > 1)
            {
                arguments[1].Eval(c, focus);
                total = c.Slice(end);
                c.Truncate(end);
            }
            for (var i = start; i < end; i++)
            {
                (c.Total, c.Index) = (total, i - start);
                var item = c[i];
                arguments[0].Eval(c, item);
                total = c.Slice(end);
                c.Truncate(end);
                c.Variables = variables;
            }
            (c.Total, c.Index) = (outerTotal, outerIndex);
            c.Truncate(start);
            foreach (var item in total) c.Push(item);
        }
    }

    private sealed class SortExpr(Expr on, Expr[] keys) : Expr
    {
        public override void Eval(FhirPathContext c, in Item focus)
        {
            var start = c.Count;
            on.Eval(c, focus);
            var items = c.Slice(start);
            c.Truncate(start);
            var sorted = items.Select(i => (Item: i, Keys: KeysOf(c, i))).ToList();
            var order = Comparer<object?[]>.Create((x, y) =>
            {
                c.Spend(1);
                return Compare(x, y);
            });
            try
            {
                foreach (var (item, _) in sorted.OrderBy(s => s.Keys, order)) c.Push(item);
            }
            catch (InvalidOperationException e) when (e.InnerException is FhirPathException or OperationCanceledException)
            {
                // A sort wraps what its comparison throws.
                ExceptionDispatchInfo.Throw(e.InnerException);
            }
        }

        private object?[] KeysOf(FhirPathContext c, Item item)
        {
            if (keys.Length == 0)
            {
                c.Look(item);
                return [item.Value];
            }
            var variables = c.Variables;
            var values = new object?[keys.Length];
            for (var i = 0; i < keys.Length; i++)
            {
                values[i] = keys[i].Single(c, item);
                c.Variables = variables;
            }
            return values;
        }

        private static int Compare(object?[]? x, object?[]? y)
        {
            for (var i = 0; i < x!.Length; i++)
            {
                var order = (x[i], y![i]) switch
                {
                    (null, null) => 0,
                    (null, Reversed) => 1,
                    (Reversed, null) => -1,
                    (null, _) => -1,
                    (_, null) => 1,
                    (Reversed a, Reversed b) => FhirPathValues.Compare(b.Value, a.Value) ?? 0,
                    var (a, b) => FhirPathValues.Compare(a, b) ?? 0,
                };
                if (order != 0) return order;
            }
            return 0;
        }
    }

    private sealed class DefineExpr(Expr on, Expr[] arguments) : Expr
    {
        public override void Eval(FhirPathContext c, in Item focus)
        {
            var start = c.Count;
            on.Eval(c, focus);
            var end = c.Count;
            var name = arguments[0].Single(c, focus) as string ?? throw FhirPathException.Execution("a variable has a name");
            if (arguments.Length > 1)
            {
                var item = end > start ? c[start] : focus;
                arguments[1].Eval(c, item);
            }
            var value = arguments.Length > 1 ? c.Slice(end) : c.Slice(start);
            c.Truncate(end);
            c.Variables = c.Variables is null ? new(StringComparer.Ordinal) : new(c.Variables, StringComparer.Ordinal);
            if (!c.Variables.TryAdd(name, value)) throw FhirPathException.Execution($"the variable {name} is defined already");
        }
    }

    private sealed class TraceExpr(Expr on, Expr[] arguments) : Expr
    {
        public override void Eval(FhirPathContext c, in Item focus)
        {
            var start = c.Count;
            on.Eval(c, focus);
            if (c.Traced is null) return;
            c.Traced(arguments[0].Single(c, focus) as string ?? "", c.Slice(start));
        }
    }
}
