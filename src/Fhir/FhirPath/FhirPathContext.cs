using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// One evaluation: a stack of items that every part of an expression reads from and pushes to, and what the environment variables mean.
/// Used by one thread; reused from expression to expression so that evaluation allocates next to nothing.
/// </summary>
internal sealed class FhirPathContext
{
    private const int StepsBetweenLooks = 1 << 16;
    private const int MaxItems = 4_000_000;

    /// <summary>Longest text that an expression may compute, in characters.</summary>
    public const int MaxText = 1 << 24;
    private Item[] _stack = new Item[64];
    private long _nextLook;
    private Dictionary<Expr, ItemSet>? _sets;
    private Dictionary<Expr, Item[]>? _items;

    public FhirPathContext(FhirSchema schema, Terminology terminology) => (Schema, Terminology) = (schema, terminology);

    public FhirSchema Schema { get; }

    public Terminology Terminology { get; }

    /// <summary>Most steps of an evaluation.</summary>
    public int MaxSteps { get; init; } = 20_000_000;

    /// <summary>Steps that were taken.</summary>
    public long Steps { get; set; }

    /// <summary>Whether the steps of all evaluations count together, until there are no more.</summary>
    public bool IsOneBudget { get; init; }

    /// <summary>Stops an evaluation.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>%resource: the resource that holds the focus.</summary>
    public Item Resource { get; set; }

    /// <summary>%rootResource: the outermost one.</summary>
    public Item RootResource { get; set; }

    /// <summary>%context: what the expression was asked of.</summary>
    public Item Origin { get; set; }

    public int Index { get; set; }

    public Item[] Total { get; set; } = [];

    /// <summary>Whether resolve() answers with the type alone where the resource is not in the document.</summary>
    public bool ResolvesToStubs { get; init; }

    /// <summary>Whether names that the type does not have are an error.</summary>
    public bool IsStrict { get; init; }

    /// <summary>Decides conformsTo() for profiles; null: only the core types are known.</summary>
    public Func<Item, string, bool?>? ConformsTo { get; init; }

    /// <summary>Hears trace().</summary>
    public Action<string, IReadOnlyList<Item>>? Traced { get; init; }

    /// <summary>The time that now() gives, throughout an evaluation.</summary>
    public DateTimeOffset Now { get; set; }

    /// <summary>
    /// What defineVariable() defined. Replaced and not changed: who goes over items puts back what was there before each.
    /// </summary>
    public Dictionary<string, Item[]>? Variables { get; set; }

    public int Count { get; private set; }

    public ref readonly Item this[int at] => ref _stack[at];

    public void Begin(in Item origin, in Item resource, in Item root)
    {
        Count = 0;
        if (!IsOneBudget) (Steps, _nextLook) = (0, 0);
        (Origin, Resource, RootResource) = (origin, resource, root);
        // An evaluation that ended in the middle leaves these behind.
        (Variables, Index, Total) = (null, 0, []);
        _sets?.Clear();
        _items?.Clear();
    }

    public void Push(in Item item)
    {
        Spend(1);
        if (item.Boxed is string text) Charge(text.Length);
        if (Count == _stack.Length)
            Array.Resize(
                ref _stack, Count < MaxItems ? Count * 2 : throw FhirPathException.TooCostly("the expression selects too many items"));
        _stack[Count++] = item;
    }

    /// <summary>
    /// Counts steps: an expression over a hostile document, or a hostile expression, must end. A step is what pushing an item takes, some
    /// twenty nanoseconds.
    /// </summary>
    public void Spend(long steps)
    {
        Steps += steps;
        if (Steps <= _nextLook) return;
        if (Steps > MaxSteps) throw FhirPathException.TooCostly("the expression takes too many steps");
        Cancellation.ThrowIfCancellationRequested();
        _nextLook = Math.Min(MaxSteps, Steps + StepsBetweenLooks);
    }

    /// <summary>Counts what it takes to look at the value of an item: an element's is read from its JSON each time.</summary>
    public void Look(in Item item) => Spend(item is { IsNode: true, Row: >= 0 } ? 1 + ((item.Node.End - item.Node.Start) / 8) : 1);

    /// <summary>Counts a text that was computed among the steps: what grows from step to step must end too.</summary>
    public void Charge(long characters)
    {
        if (characters > MaxText) throw FhirPathException.TooCostly("the expression computes a text that is too long");
        Spend(characters / 4);
    }

    public void Push(bool value) => Push(value ? Item.True : Item.False);

    public void Push(object? value)
    {
        if (value is not null) Push(value is bool b ? Item.Of(b) : Item.Of(value));
    }

    /// <summary>
    /// What an expression that is fixed gives, as a set, made once in an evaluation: a rule that looks up each of thousands of items among
    /// thousands of others would take their product.
    /// </summary>
    public ItemSet SetOf(Expr expression)
    {
        if (_sets is not null && _sets.TryGetValue(expression, out var known)) return known;
        var start = Count;
        expression.Eval(this, Item.Nothing);
        var set = ItemSet.Of(this, start, Count);
        Truncate(start);
        return (_sets ??= new Dictionary<Expr, ItemSet>(ReferenceEqualityComparer.Instance))[expression] = set;
    }

    /// <summary>What an expression that is fixed gives, worked out once in an evaluation.</summary>
    public Item[] ItemsOf(Expr expression)
    {
        if (_items is not null && _items.TryGetValue(expression, out var known)) return known;
        var start = Count;
        expression.Eval(this, Item.Nothing);
        var items = Slice(start);
        Truncate(start);
        return (_items ??= new Dictionary<Expr, Item[]>(ReferenceEqualityComparer.Instance))[expression] = items;
    }

    /// <summary>Drops everything from a place on.</summary>
    public void Truncate(int at) => Count = at;

    /// <summary>Drops the items from one place up to another; what was pushed after them moves down.</summary>
    public void Remove(int from, int to)
    {
        if (from == to) return;
        Array.Copy(_stack, to, _stack, from, Count - to);
        Count -= to - from;
    }

    public void Set(int at, in Item item) => _stack[at] = item;

    public Item[] Slice(int from) => _stack.AsSpan(from, Count - from).ToArray();

    /// <summary>Pushes the children of an element: those of one element name, or all.</summary>
    /// <param name="of">The element.</param>
    /// <param name="nameId">Number of the element name; -1 for all.</param>
    public void PushChildren(in Item of, int nameId)
    {
        if (!of.IsNode) return;
        var document = of.Document!;
        // A primitive's children are those of its _name.
        var parent = of.Row >= 0 && document.Rows[of.Row].Kind == JsonTokenType.StartObject ? of.Row : of.Sibling;
        if (parent < 0 || document.Rows[parent].ChildCount == 0) return;
        for (var child = parent + 1; child >= 0; child = document.Rows[child].Next)
        {
            if (document.Rows[child].Property is not { } property || (nameId >= 0 && property.Element.NameId != nameId)) continue;
            if (property.IsSibling)
            {
                if (new ElementNode(document, parent).Child(property.PairId) is null) PushSiblings(document, child, property);
                continue;
            }
            var sibling = property.PairId < 0 ? null : new ElementNode(document, parent).Child(property.PairId);
            if (document.Rows[child].Kind != JsonTokenType.StartArray)
            {
                if (document.Rows[child].Kind != JsonTokenType.Null || sibling is not null)
                    Push(Item.OfNode(document, child, sibling?.Index ?? -1, document.Rows[child].Property!.Type.Definition));
                continue;
            }
            var beside = sibling is { Kind: JsonTokenType.StartArray, ChildCount: > 0 } s ? s.Index + 1 : -1;
            for (var item = document.Rows[child].ChildCount == 0 ? -1 : child + 1; item >= 0; item = document.Rows[item].Next)
            {
                var withObject = beside >= 0 && document.Rows[beside].Kind == JsonTokenType.StartObject;
                if (document.Rows[item].Kind != JsonTokenType.Null || withObject)
                    Push(Item.OfNode(
                        document,
                        document.Rows[item].Kind == JsonTokenType.Null ? -1 : item,
                        withObject ? beside : -1,
                        document.Rows[item].Property?.Type.Definition));
                if (beside >= 0) beside = document.Rows[beside].Next;
            }
        }
    }

    private void PushSiblings(ResourceDocument document, int row, PropertySpec property)
    {
        if (document.Rows[row].Kind == JsonTokenType.StartObject)
        {
            Push(Item.OfNode(document, -1, row, property.Type.Definition));
            return;
        }
        for (var item = document.Rows[row].ChildCount == 0 ? -1 : row + 1; item >= 0; item = document.Rows[item].Next)
            if (document.Rows[item].Kind == JsonTokenType.StartObject) Push(Item.OfNode(document, -1, item, property.Type.Definition));
    }
}
