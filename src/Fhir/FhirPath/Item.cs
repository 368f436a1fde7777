using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// One item of a FHIRPath collection: an element of a document (its JSON value, or its <c>_name</c> object, or both), or a value that was
/// computed. Small and copied; nothing is converted before it is asked for.
/// </summary>
internal readonly struct Item
{
    private Item(ResourceDocument? document, int row, int sibling, TypeDefinition? type, object? value) =>
        (Document, Row, Sibling, Type, Boxed) = (document, row, sibling, type, value);

    public ResourceDocument? Document { get; }

    /// <summary>Row of the JSON value; -1: only <see cref="Sibling"/>.</summary>
    public int Row { get; }

    /// <summary>Row of the object with id and extensions of a primitive; -1: none.</summary>
    public int Sibling { get; }

    /// <summary>Type of an element; null: not known.</summary>
    public TypeDefinition? Type { get; }

    /// <summary>A computed value; of an element null.</summary>
    public object? Boxed { get; }

    public bool IsNode => Document is not null;

    /// <summary>No item at all: the focus of what is asked of an empty collection.</summary>
    public static Item Nothing => default;

    /// <summary>Whether there is an item.</summary>
    public bool IsSomething => Document is not null || Boxed is not null || Type is not null;

    public static Item True { get; } = new(null, -1, -1, null, true);

    public static Item False { get; } = new(null, -1, -1, null, false);

    public ElementNode Node => new(Document!, Row);

    public static Item Of(object value) => new(null, -1, -1, null, value);

    public static Item Of(bool value) => value ? True : False;

    /// <summary>A resource that a reference names and that is not at hand: of its type alone.</summary>
    public static Item Stub(TypeDefinition type) => new(null, -1, -1, type, null);

    public static Item OfNode(ResourceDocument document, int row, int sibling, TypeDefinition? type) =>
        new(document, row, sibling, type, null);

    public static Item OfNode(ElementNode node) => new(node.Document, node.Index, -1, node.Type, null);

    /// <summary>Whether the element has a scalar in JSON.</summary>
    public bool HasScalar =>
        Row >= 0 && Document!.Rows[Row].Kind is not (JsonTokenType.StartObject or JsonTokenType.StartArray or JsonTokenType.Null);

    /// <summary>
    /// The value as FHIRPath computes with it: of a primitive its System value, of a Quantity its number and unit; null: there is none.
    /// </summary>
    public object? Value => Boxed ?? (IsNode ? FhirPathValues.OfNode(this) : null);
}
