using System.Buffers;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>A row of the node table: document order, so the first child of row i is row i + 1.</summary>
internal struct NodeRow
{
    /// <summary>What the value is as R4 has it; null for resourceType and for names that its type does not have.</summary>
    public PropertySpec? Property;

    public int Start;
    public int End;
    public int NameStart;
    public int Next;
    public int ChildCount;
    public ushort NameId;
    public JsonTokenType Kind;
    public bool Escaped;
}

/// <summary>
/// Makes the node table in two walks: one over the tokens, one over the rows that gives each its place in the definitions. The second
/// comes after the first because <c>resourceType</c> may be the last property of a resource.
/// </summary>
internal ref struct JsonScanner(ReadOnlyMemory<byte> bytes, ResourceLimits limits, FhirSchema schema, bool isResource)
{
    private NodeRow[] _rows = [];
    private int _count;
    private string _error = "";
    private int _errorAt;

    public ResourceDocument? Run(out string error, out int offset)
    {
        // A value takes some thirty bytes in FHIR's JSON; a longer table is rented when that was too few.
        _rows = ArrayPool<NodeRow>.Shared.Rent(Math.Max(64, bytes.Length / 24));
        try
        {
            var ok = Scan() && Annotate();
            (error, offset) = (_error, _errorAt);
            return ok ? new ResourceDocument(bytes, _rows.AsSpan(0, _count).ToArray(), schema, limits) : null;
        }
        finally
        {
            // Only what was used is cleared: the pool's arrays are long.
            _rows.AsSpan(0, _count).Clear();
            ArrayPool<NodeRow>.Shared.Return(_rows);
        }
    }

    private bool Fail(string error, int at)
    {
        (_error, _errorAt) = (error, at);
        return false;
    }

    // The first document may be a large one: what walks over all of it does not wait for the second tier.
    private bool Scan()
    {
        // The reader counts arrays as well: twice the objects, and the values of the innermost.
        var maxDepth = limits.JsonDepth;
        var reader = new Utf8JsonReader(bytes.Span, new JsonReaderOptions { MaxDepth = maxDepth });
        Span<int> parents = stackalloc int[maxDepth + 1];
        Span<int> last = stackalloc int[maxDepth + 1];
        var (depth, objects) = (0, 0);
        var (nameId, nameStart) = (NameTable.Unknown, -1);
        while (reader.Read())
        {
            var kind = reader.TokenType;
            if (kind == JsonTokenType.PropertyName)
            {
                nameStart = (int)reader.TokenStartIndex;
                if (!reader.ValueIsEscaped) schema.Names.TryGetId(reader.ValueSpan, out nameId);
                else if (!TryUnescape(ref reader, out var name)) return Fail("a property name holds a lone surrogate", nameStart);
                else schema.Names.TryGetId(name, out nameId);
                continue;
            }
            if (kind is JsonTokenType.EndObject or JsonTokenType.EndArray)
            {
                depth--;
                if (kind == JsonTokenType.EndObject) objects--;
                _rows[parents[depth]].End = (int)reader.BytesConsumed;
                continue;
            }
            var start = (int)reader.TokenStartIndex;
            if (_count == 0 && isResource && kind != JsonTokenType.StartObject) return Fail("the body is not a JSON object", start);
            if (_count >= limits.MaxNodes) return Fail($"the body holds more than {limits.MaxNodes} values", start);
            var escaped = kind == JsonTokenType.String && reader.ValueIsEscaped;
            // A \uD800 without its pair is legal to the reader until it is decoded, and nothing can be stored under it.
            if (escaped && !TryUnescape(ref reader, out _)) return Fail("a string holds a lone surrogate", start);
            if (_count == _rows.Length) Grow();
            var index = _count++;
            if (depth > 0)
            {
                if (last[depth - 1] >= 0) _rows[last[depth - 1]].Next = index;
                last[depth - 1] = index;
                _rows[parents[depth - 1]].ChildCount++;
            }
            ref var row = ref _rows[index];
            row.Property = null;
            (row.Kind, row.Escaped, row.NameId, row.NameStart) = (kind, escaped, (ushort)nameId, nameStart);
            (row.Start, row.End, row.Next, row.ChildCount) = (start, (int)reader.BytesConsumed, -1, 0);
            (nameId, nameStart) = (NameTable.Unknown, -1);
            if (kind is not (JsonTokenType.StartObject or JsonTokenType.StartArray)) continue;
            if (kind == JsonTokenType.StartObject && ++objects > limits.MaxDepth)
                return Fail($"the body is nested deeper than {limits.MaxDepth} elements", start);
            (parents[depth], last[depth]) = (index, -1);
            depth++;
        }
        return true;
    }

    private bool Annotate()
    {
        Span<int> seen = schema.Names.Count <= 8192 ? stackalloc int[schema.Names.Count] : new int[schema.Names.Count];
        seen.Fill(-1);
        if (TypeOfResource(0) is { } root) _rows[0].Property = root.Root;
        for (var i = 0; i < _count; i++)
        {
            ref var row = ref _rows[i];
            if (row.ChildCount == 0) continue;
            var property = row.Property;
            if (row.Kind == JsonTokenType.StartArray)
            {
                for (var child = i + 1; child >= 0; child = _rows[child].Next) Assign(child, property);
                continue;
            }
            var type = property is { IsSibling: true } ? schema.Type("Element") : property?.Type.Definition;
            HashSet<string>? unknown = null;
            for (var child = i + 1; child >= 0; child = _rows[child].Next)
            {
                var nameId = _rows[child].NameId;
                if (nameId == NameTable.Unknown)
                {
                    if (!(unknown ??= new HashSet<string>(StringComparer.Ordinal)).Add(NameAt(child)))
                        return Fail($"the property '{IssueSink.Shown(NameAt(child))}' occurs twice in one object", _rows[child].NameStart);
                    continue;
                }
                if (seen[nameId] == i)
                    return Fail($"the property '{schema.Names[nameId]}' occurs twice in one object", _rows[child].NameStart);
                seen[nameId] = i;
                if (type?.Property(nameId) is { } found) Assign(child, found);
            }
        }
        return true;
    }

    private readonly void Assign(int index, PropertySpec? property)
    {
        if (property is { Type.Name: "Resource" } && _rows[index].Kind == JsonTokenType.StartObject && TypeOfResource(index) is { } type)
            property = property.Holding(type);
        _rows[index].Property = property;
    }

    private readonly TypeDefinition? TypeOfResource(int index)
    {
        for (var child = _rows[index].ChildCount == 0 ? -1 : index + 1; child >= 0; child = _rows[child].Next)
        {
            ref var row = ref _rows[child];
            if (row.NameId != schema.Names.ResourceType) continue;
            if (row.Kind != JsonTokenType.String) return null;
            return row.Escaped
                ? schema.Type(ElementNode.NameFrom(bytes.Span, row.Start)) is
                {
                    Kind: TypeKind.Resource, IsAbstract: false
                } type ? type : null
                : schema.ResourceTypeOf(bytes.Span[(row.Start + 1)..(row.End - 1)]);
        }
        return null;
    }

    private readonly string NameAt(int index) => ElementNode.NameFrom(bytes.Span, _rows[index].NameStart);

    private void Grow()
    {
        var longer = ArrayPool<NodeRow>.Shared.Rent(_rows.Length * 2);
        _rows.AsSpan(0, _count).CopyTo(longer);
        _rows.AsSpan(0, _count).Clear();
        ArrayPool<NodeRow>.Shared.Return(_rows);
        _rows = longer;
    }

    private static bool TryUnescape(ref Utf8JsonReader reader, out string text)
    {
        text = "";
        try
        {
            text = reader.GetString()!;
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
