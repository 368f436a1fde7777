using System.Text;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>One JSON value of a <see cref="ResourceDocument"/>: where it lies in the bytes, and its children in order.</summary>
public readonly struct ElementNode
{
    private readonly int _index;

    internal ElementNode(ResourceDocument document, int index) => (Document, _index) = (document, index);

    /// <summary>The document that this value is in.</summary>
    public ResourceDocument Document { get; }

    /// <summary>Object, array, string, number, true, false or null.</summary>
    public JsonTokenType Kind => Row.Kind;

    /// <summary>The property name under which the value stands; null in an array and at the root.</summary>
    public string? Name =>
        Row.NameStart < 0
            ? null
            : Row.NameId != NameTable.Unknown
            ? Document.Schema.Names[Row.NameId]
            : NameFrom(Document.Bytes.Span, Row.NameStart);

    /// <summary>
    /// What the value is as the definitions have it; null for <c>resourceType</c> and for names that its type does not have.
    /// </summary>
    public PropertySpec? Property => Row.Property;

    /// <summary>The value's type; null where it is not known.</summary>
    public TypeDefinition? Type => Row.Property?.Type.Definition;

    /// <summary>Offset of the value's first byte.</summary>
    public int Start => Row.Start;

    /// <summary>Offset behind the value's last byte.</summary>
    public int End => Row.End;

    /// <summary>Offset of the opening quote of the property name; the value's start where there is none.</summary>
    public int PropertyStart => Row.NameStart < 0 ? Row.Start : Row.NameStart;

    /// <summary>The value's bytes as they came.</summary>
    public ReadOnlySpan<byte> RawBytes => Document.Bytes.Span[Row.Start..Row.End];

    /// <summary>Number of array items or object properties.</summary>
    public int ChildCount => Row.ChildCount;

    internal int Index => _index;

    internal int NameId => Row.NameId;

    private ref readonly NodeRow Row => ref Document.Rows[_index];

    /// <summary>
    /// The text of a string, with escapes resolved, or the literal text of any other scalar. Lossless: a number keeps its digits.
    /// </summary>
    public string Text
    {
        get
        {
            var raw = RawBytes;
            if (Kind != JsonTokenType.String) return Encoding.UTF8.GetString(raw);
            if (!Row.Escaped) return Encoding.UTF8.GetString(raw[1..^1]);
            var reader = new Utf8JsonReader(raw);
            reader.Read();
            return reader.GetString()!;
        }
    }

    /// <summary>
    /// The text of a string, in a buffer of the caller's where it fits: nearly every value is short, and makes no garbage so.
    /// </summary>
    internal ReadOnlySpan<char> TextIn(Span<char> buffer) =>
        Row.Escaped || End - Start > buffer.Length ? Text : buffer[..Encoding.UTF8.GetChars(RawBytes[1..^1], buffer)];

    /// <summary>The bytes of a string without its quotes, escapes resolved.</summary>
    public ReadOnlyMemory<byte> Utf8Text => Row.Escaped
        ? Encoding.UTF8.GetBytes(Text)
        : Document.Bytes[(Row.Start + 1)..(Row.End - 1)];

    /// <summary>The children in document order.</summary>
    public ChildEnumerator GetEnumerator() => new(Document, Row.ChildCount == 0 ? -1 : _index + 1);

    /// <summary>The property of an object, or null.</summary>
    public ElementNode? this[string name]
    {
        get
        {
            if (Kind != JsonTokenType.StartObject) return null;
            if (Document.Schema.Names.TryGetId(name, out var id)) return Child(id);
            foreach (var child in this)
                if (child.Name == name) return child;
            return null;
        }
    }

    internal ElementNode? Child(int nameId)
    {
        if (Row.ChildCount == 0) return null;
        var rows = Document.Rows;
        for (var i = _index + 1; i >= 0; i = rows[i].Next)
            if (rows[i].NameId == nameId) return new ElementNode(Document, i);
        return null;
    }

    internal static string NameFrom(ReadOnlySpan<byte> bytes, int start)
    {
        // A bare string is a JSON text of its own; the reader ends where the string does.
        var reader = new Utf8JsonReader(bytes[start..], isFinalBlock: false, default);
        reader.Read();
        return reader.GetString()!;
    }

    /// <summary>The text of a string property, or null where it is missing or not a string.</summary>
    public string? StringAt(string name) => this[name] is { Kind: JsonTokenType.String } node ? node.Text : null;

    /// <summary>The items of an array property; the one value where it is not an array; nothing where it is missing.</summary>
    public IEnumerable<ElementNode> ItemsAt(string name)
    {
        if (this[name] is not { } node) yield break;
        if (node.Kind != JsonTokenType.StartArray)
        {
            yield return node;
            yield break;
        }
        foreach (var item in node) yield return item;
    }

    /// <summary>Walks the children of a node.</summary>
    public struct ChildEnumerator
    {
        private readonly ResourceDocument _document;
        private int _next;

        internal ChildEnumerator(ResourceDocument document, int first) => (_document, _next) = (document, first);

        /// <summary>The child at which the walk stands.</summary>
        public ElementNode Current { get; private set; }

        /// <summary>Goes to the next child.</summary>
        public bool MoveNext()
        {
            if (_next < 0) return false;
            Current = new ElementNode(_document, _next);
            _next = _document.Rows[_next].Next;
            return true;
        }
    }
}
