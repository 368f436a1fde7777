using System.Text.Json;
using System.Xml;
using System.Xml.Linq;

namespace PmrGateway.Fhir;

/// <summary>
/// Reads a resource in XML as JSON, by the definitions: each value keeps its text, so nothing is lost and nothing is repaired before it is
/// checked. What XML alone can get wrong is found here, with its line: names, namespaces, attributes, order, empty elements, text between
/// elements. What both formats can get wrong is left to the validator. https://hl7.org/fhir/R4/xml.html
/// </summary>
internal sealed class XmlResourceReader(FhirSchema schema, Utf8JsonWriter json)
{
    private const string Schema = "http://www.w3.org/2001/XMLSchema-instance";
    private static readonly XNamespace Fhir = "http://hl7.org/fhir";
    private static readonly XNamespace Xhtml = "http://www.w3.org/1999/xhtml";

    private readonly IssuePath _path = new();

    public List<ValidationIssue> Issues { get; } = [];

    /// <summary>Writes a resource.</summary>
    public void Resource(XElement element)
    {
        var isRoot = element.Parent is null;
        if (isRoot) _path.Push(element.Name.LocalName);
        if (element.Name.Namespace != Fhir)
        {
            Add(IssueCode.Structure, element, $"a resource is in the namespace {Fhir}");
            json.WriteNullValue();
        }
        else if (schema.ResourceTypeOf(System.Text.Encoding.UTF8.GetBytes(element.Name.LocalName)) is not { } type)
        {
            Add(IssueCode.Structure, element, $"'{IssueSink.Shown(element.Name.LocalName)}' is not a resource type of R4");
            json.WriteNullValue();
        }
        else
        {
            json.WriteStartObject();
            json.WriteString("resourceType", type.Name);
            Attributes(element, isRoot ? ["schemaLocation"] : []);
            Children(element, type);
            json.WriteEndObject();
        }
        if (isRoot) _path.Pop();
    }

    private void Children(XElement parent, TypeDefinition type)
    {
        Text(parent);
        var last = -1;
        List<(PropertySpec Property, List<XElement> Elements)> groups = [];
        foreach (var element in parent.Elements())
        {
            if (Property(element, type) is not { } property) continue;
            if (property.Element.Ordinal < last)
                Add(
                    IssueCode.Structure,
                    element,
                    $"the elements of {type.Name} come in the order of its definition: {property.Name} is too late");
            last = Math.Max(last, property.Element.Ordinal);
            if (groups.Count > 0 && ReferenceEquals(groups[^1].Property, property)) groups[^1].Elements.Add(element);
            else if (groups.Find(g => ReferenceEquals(g.Property, property)) is { Elements: { } apart }) apart.Add(element);
            else groups.Add((property, [element]));
        }
        foreach (var (property, elements) in groups) Group(property, elements);
    }

    private PropertySpec? Property(XElement element, TypeDefinition type)
    {
        var name = element.Name.LocalName;
        var isNarrative = type.Name == "Narrative" && name == "div";
        if (element.Name.Namespace != (isNarrative ? Xhtml : Fhir))
            Add(IssueCode.Structure, element, $"'{IssueSink.Shown(name)}' is in a namespace that has no place here");
        else if (type.Property(name) is not { IsSibling: false } property || IsAttribute(type, name))
            Add(IssueCode.Structure, element, $"'{IssueSink.Shown(name)}' is not an element of {type.Name}");
        else return property;
        return null;
    }

    // What the definitions represent as an attribute: Element.id, and the url of an extension.
    private static bool IsAttribute(TypeDefinition type, string name) =>
        type.Kind != TypeKind.Resource && (name == "id" || (name == "url" && type.Name == "Extension"));

    private void Group(PropertySpec property, List<XElement> elements)
    {
        var isArray = property.Element.IsArray;
        if (!isArray && elements.Count > 1)
            Add(IssueCode.Structure, elements[1], $"at most 1 of {property.Name} is allowed, {elements.Count} given");
        if (!isArray) elements = elements[..1];
        var isPrimitive = property.Type.Definition is { Kind: TypeKind.Primitive } && property.Type.Name != "xhtml";
        if (!isPrimitive || elements.Exists(e => e.Attribute("value") is not null)) Values(property, elements, isArray, isPrimitive);
        if (isPrimitive && elements.Exists(HasSibling)) Siblings(property, elements, isArray);
        if (!isPrimitive) return;
        foreach (var (i, element) in elements.Index())
        {
            _path.Push(property.Element.Name, isArray ? i : -1);
            Attributes(element, ["value", "id"]);
            Text(element);
            if (element.Attribute("value") is null && !HasSibling(element))
                Add(IssueCode.Structure, element, "an element has a value or an extension");
            _path.Pop();
        }
    }

    private static bool HasSibling(XElement element) => element.Attribute("id") is not null || element.Elements().Any();

    private void Values(PropertySpec property, List<XElement> elements, bool isArray, bool isPrimitive)
    {
        json.WritePropertyName(property.Name);
        if (isArray) json.WriteStartArray();
        foreach (var (i, element) in elements.Index())
        {
            _path.Push(property.Element.Name, isArray ? i : -1);
            if (isPrimitive) Primitive(element, property.Type.Name);
            else Complex(element, property);
            _path.Pop();
        }
        if (isArray) json.WriteEndArray();
    }

    private void Siblings(PropertySpec property, List<XElement> elements, bool isArray)
    {
        json.WritePropertyName("_" + property.Name);
        if (isArray) json.WriteStartArray();
        foreach (var (i, element) in elements.Index())
        {
            _path.Push(property.Element.Name, isArray ? i : -1);
            if (HasSibling(element)) Element(element, schema.Type("Element")!);
            else json.WriteNullValue();
            _path.Pop();
        }
        if (isArray) json.WriteEndArray();
    }

    private void Primitive(XElement element, string type)
    {
        if (element.Attribute("value")?.Value is not { } text) json.WriteNullValue();
        else if (type == "boolean" && text is "true" or "false") json.WriteBooleanValue(text == "true");
        else if (type is "decimal" or "integer" or "positiveInt" or "unsignedInt" && IsNumber(text))
            json.WriteRawValue(text, skipInputValidation: true);
        else if (type is "boolean" or "decimal" or "integer" or "positiveInt" or "unsignedInt")
        {
            Add(IssueCode.Value, element, $"the value is no {type}");
            json.WriteStringValue(text);
        }
        else json.WriteStringValue(text);
    }

    private void Complex(XElement element, PropertySpec property)
    {
        var type = property.Type.Definition!;
        if (type.Name == "xhtml")
        {
            json.WriteStringValue(element.ToString(SaveOptions.DisableFormatting));
        }
        else if (type.Kind != TypeKind.Resource)
        {
            Element(element, type);
        }
        else if (element.Elements().ToList() is [var resource])
        {
            Attributes(element, []);
            Text(element);
            Resource(resource);
        }
        else
        {
            Add(IssueCode.Structure, element, $"{property.Name} holds one resource");
            json.WriteNullValue();
        }
    }

    private void Element(XElement element, TypeDefinition type)
    {
        var isExtension = type.Name == "Extension";
        // Of a primitive's id and extensions the attributes are looked at with its value.
        if (type.Name != "Element") Attributes(element, isExtension ? ["id", "url"] : ["id"]);
        if (!element.HasAttributes && !element.Elements().Any()) Add(IssueCode.Structure, element, "an element is not empty");
        json.WriteStartObject();
        if (element.Attribute("id")?.Value is { } id) json.WriteString("id", id);
        if (isExtension && element.Attribute("url")?.Value is { } url) json.WriteString("url", url);
        Children(element, type);
        json.WriteEndObject();
    }

    private void Attributes(XElement element, ReadOnlySpan<string> allowed)
    {
        foreach (var attribute in element.Attributes())
        {
            if (attribute.IsNamespaceDeclaration) continue;
            var name = attribute.Name.LocalName;
            var isKnown = allowed.Contains(name) && attribute.Name.NamespaceName == (name == "schemaLocation" ? Schema : "");
            if (!isKnown)
                Add(IssueCode.Structure, element, $"the attribute '{IssueSink.Shown(attribute.Name.LocalName)}' has no place here");
            else if (attribute.Value.Length == 0) Add(IssueCode.Value, element, $"the attribute {name} is empty");
        }
    }

    private void Text(XElement element)
    {
        foreach (var node in element.Nodes())
            if (node is XText text && !string.IsNullOrWhiteSpace(text.Value))
                Add(IssueCode.Structure, element, "there is text between the elements: a value is in an attribute");
    }

    // As JSON writes numbers; what else XML would take for one ("01", " 1", ".5") is none in FHIR.
    private static bool IsNumber(string text)
    {
        var reader = new Utf8JsonReader(System.Text.Encoding.UTF8.GetBytes(text));
        try
        {
            return text.Length > 0 && !char.IsWhiteSpace(text[0]) && !char.IsWhiteSpace(text[^1]) && reader.Read()
                && reader.TokenType == JsonTokenType.Number && !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void Add(IssueCode code, XElement at, string text)
    {
        var line = (IXmlLineInfo)at;
        Issues.Add(new ValidationIssue(IssueSeverity.Error, code, _path.ToString(), text)
        {
            Line = line.LineNumber,
            Column = line.LinePosition
        });
    }
}
