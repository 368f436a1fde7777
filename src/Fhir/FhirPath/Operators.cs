namespace PmrGateway.Fhir;

/// <summary>The operators of two operands. https://hl7.org/fhirpath/N1/#operations</summary>
internal sealed class BinaryExpr(string op, Expr left, Expr right) : Expr
{
    public override void Eval(FhirPathContext c, in Item focus)
    {
        switch (op)
        {
            case "and" or "or" or "xor" or "implies":
                if (Logic(c, focus) is { } truth) c.Push(truth);
                return;
            case "+" or "-" or "*" or "/" or "div" or "mod":
                if (left.Single(c, focus) is { } x && right.Single(c, focus) is { } y) c.Push(Arithmetic(x, y));
                return;
            case "&":
                c.Push((object)(FhirPathValues.Text(left.Single(c, focus)) + FhirPathValues.Text(right.Single(c, focus))));
                return;
        }
        if ((op == "in" && right.IsFixed) || (op == "contains" && left.IsFixed))
        {
            Lookup(c, focus, op == "in" ? left : right, c.SetOf(op == "in" ? right : left));
            return;
        }
        var start = c.Count;
        left.Eval(c, focus);
        var middle = c.Count;
        right.Eval(c, focus);
        if (op == "|")
        {
            Functions.Distinct(c, start);
            return;
        }
        var result = op switch
        {
            "=" => Equal(c, start, middle),
            "!=" => !Equal(c, start, middle),
            "~" => Equivalent(c, start, middle),
            "!~" => !Equivalent(c, start, middle),
            "in" => Contains(c, start, middle, middle, c.Count),
            "contains" => Contains(c, middle, c.Count, start, middle),
            _ => Order(c, start, middle),
        };
        c.Truncate(start);
        if (result is { } known) c.Push(known);
    }

    public override bool? Test(FhirPathContext c, in Item focus) =>
        op is "and" or "or" or "xor" or "implies" ? Logic(c, focus) : base.Test(c, focus);

    /// <summary><c>=</c> of two collections that lie next to each other on the stack.</summary>
    public static bool? Equal(FhirPathContext c, int start, int middle)
    {
        var (m, n) = (middle - start, c.Count - middle);
        if (m == 0 || n == 0) return null;
        if (m != n) return false;
        for (var i = 0; i < m; i++)
            if (AreEqual(c, start + i, middle + i) is var answer and not true) return answer;
        return true;
    }

    /// <summary><c>=</c> of two items on the stack.</summary>
    public static bool? AreEqual(FhirPathContext c, int one, int other)
    {
        c.Look(c[one]);
        c.Look(c[other]);
        return FhirPathValues.AreEqual(c[one], c[other]);
    }

    private bool? Logic(FhirPathContext c, in Item focus)
    {
        var a = left.Test(c, focus);
        // Three-valued, and the right side is not asked where the left decides.
        switch (op)
        {
            case "and" when a == false: return false;
            case "or" when a == true: return true;
            case "implies" when a == false: return true;
        }
        var b = right.Test(c, focus);
        return op switch
        {
            "and" => b == false ? false : a == true && b == true ? true : null,
            "or" => b == true ? true : a == false && b == false ? false : null,
            "xor" => a is null || b is null ? null : a != b,
            _ => b == true ? true : a is null ? null : b,
        };
    }

    private static bool Equivalent(FhirPathContext c, int start, int middle)
    {
        var (m, n) = (middle - start, c.Count - middle);
        if (m != n) return false;
        var used = new bool[n];
        for (var i = 0; i < m; i++)
        {
            var at = -1;
            for (var j = 0; j < n && at < 0; j++)
            {
                c.Look(c[start + i]);
                c.Look(c[middle + j]);
                if (!used[j] && FhirPathValues.AreEquivalent(c[start + i], c[middle + j])) at = j;
            }
            if (at < 0) return false;
            used[at] = true;
        }
        return true;
    }

    private static void Lookup(FhirPathContext c, in Item focus, Expr item, ItemSet set)
    {
        var start = c.Count;
        item.Eval(c, focus);
        if (c.Count > start + 1) throw FhirPathException.Execution("the item that is looked for is several");
        if (c.Count == start) return;
        var found = set.Holds(c[start]);
        c.Truncate(start);
        c.Push(found);
    }

    private static bool? Contains(FhirPathContext c, int item, int itemEnd, int from, int to)
    {
        if (item == itemEnd) return null;
        if (itemEnd > item + 1) throw FhirPathException.Execution("the item that is looked for is several");
        for (var i = from; i < to; i++)
            if (AreEqual(c, item, i) == true) return true;
        return false;
    }

    private bool? Order(FhirPathContext c, int start, int middle)
    {
        if (middle == start || c.Count == middle) return null;
        if (middle > start + 1 || c.Count > middle + 1) throw FhirPathException.Execution("an order is of two single items");
        c.Look(c[start]);
        c.Look(c[middle]);
        if (FhirPathValues.Compare(c[start].Value, c[middle].Value) is not { } order) return null;
        return op switch { "<" => order < 0, "<=" => order <= 0, ">" => order > 0, _ => order >= 0 };
    }

    private object? Arithmetic(object x, object y)
    {
        try
        {
            if (FhirPathValues.Number(x) is { } a && FhirPathValues.Number(y) is { } b) return Numbers(x, y, a, b);
            return (op, x, y) switch
            {
                ("+", string s, string t) => s + t,
                ("+", FhirTemporal t, QuantityValue q) => t.Add(q.Value, q.Unit, q.IsCalendar),
                ("-", FhirTemporal t, QuantityValue q) => t.Add(-q.Value, q.Unit, q.IsCalendar),
                ("+" or "-", QuantityValue q, QuantityValue r) => Quantities.Sum(q, r, op == "-"),
                ("*" or "/", QuantityValue q, QuantityValue r) => Quantities.Product(q, r, op == "/"),
                ("*", QuantityValue q, _) when FhirPathValues.Number(y) is { } n => q with { Value = q.Value * n },
                ("*", _, QuantityValue q) when FhirPathValues.Number(x) is { } n => q with { Value = q.Value * n },
                ("/", QuantityValue q, _) when FhirPathValues.Number(y) is { } n => n == 0 ? null : q with { Value = q.Value / n },
                _ => throw FhirPathException.Semantic($"'{op}' is not defined for these two types"),
            };
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    private object? Numbers(object x, object y, decimal a, decimal b)
    {
        var whole = x is not decimal && y is not decimal;
        switch (op)
        {
            case "/": return b == 0 ? null : a / b;
            case "div": return b == 0 ? null : Whole(decimal.Truncate(a / b));
            case "mod": return b == 0 ? null : whole ? Whole(a % b) : a % b;
        }
        var result = op switch { "+" => a + b, "-" => a - b, _ => a * b };
        return whole ? Whole(result) : result;
    }

    private static object Whole(decimal number) => number is >= int.MinValue and <= int.MaxValue ? (int)number : (object)(long)number;
}
