using System.Text.Json;
using Hl7.Fhir.Model;
using Hl7.Fhir.Serialization;

namespace PmrGateway.Fhir;

/// <summary>The one bridge between the raw engine and Hl7.Fhir.R4, for the resources whose meaning code interprets or writes.</summary>
public static class FhirTyped
{
    // A document was parsed by limits of its own.
    internal const int MaxJsonDepth = 1000;

    private static readonly JsonSerializerOptions Options =
        new JsonSerializerOptions { MaxDepth = MaxJsonDepth }.ForFhir(ModelInfo.ModelInspector).UsingMode(DeserializationMode.Recoverable);

    /// <summary>A resource of the typed model as JSON, UTF-8.</summary>
    public static byte[] ToJson(Resource resource) => JsonSerializer.SerializeToUtf8Bytes(resource, Options);

    /// <summary>A resource of the typed model as a document.</summary>
    public static ResourceDocument ToDocument(Resource resource)
    {
        ResourceDocument.TryParse(ToJson(resource), out var document, out _);
        return document ?? throw new InvalidOperationException($"a {resource.TypeName} of the typed model is no document");
    }

    /// <summary>A validated document as a typed resource.</summary>
    /// <exception cref="InvalidOperationException">The document is not a <typeparamref name="T"/>: it was not validated first.</exception>
    public static T Parse<T>(ResourceDocument document)
        where T : Resource => Parse<T>(() => JsonSerializer.Deserialize<T>(document.Bytes.Span, Options)!);

    /// <summary>A JSON object as a typed resource.</summary>
    /// <exception cref="InvalidOperationException">It is not a <typeparamref name="T"/>.</exception>
    internal static T Parse<T>(JsonElement json)
        where T : Resource => Parse(() => json.Deserialize<T>(Options)!);

    /// <summary>An element of the typed model as JSON; null where it has no value.</summary>
    internal static ElementNode? Node(Base element)
    {
        var json = element switch
        {
            PrimitiveType { JsonValue: null } => "null",
            FhirBoolean or Integer or FhirDecimal => ((PrimitiveType)element).ToString()!,
            PrimitiveType primitive => JsonSerializer.Serialize(primitive.ToString()),
            _ => JsonSerializer.Serialize(element, element.GetType(), Options),
        };
        var bytes = System.Text.Encoding.UTF8.GetBytes($"{{\"value\":{json}}}");
        if (!ResourceDocument.TryParse(bytes, out var document, out _, new ResourceLimits(MaxJsonDepth / 2, int.MaxValue))) return null;
        return document!.Root["value"] is { Kind: not JsonTokenType.Null } value ? value : null;
    }

    private static T Parse<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (DeserializationFailedException e)
        {
            throw new InvalidOperationException($"the document is no {typeof(T).Name}", e);
        }
    }
}
