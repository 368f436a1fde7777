using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;

namespace PmrGateway.Gateway.Api;

/// <summary>A resource as it came, with what was cut out of the body that it came in.</summary>
/// <param name="Document">The resource.</param>
/// <param name="Body">The body, which may hold other resources too; null: it is none that streams.</param>
internal sealed record ReceivedBody(ResourceDocument Document, StreamedBody? Body)
{
    /// <summary>Whether something was cut out of this resource: it is not here byte for byte.</summary>
    public bool IsCut => Body is { HasCuts: true } body && HoldsToken(Document.Root, body);

    private static bool HoldsToken(ElementNode node, StreamedBody body)
    {
        foreach (var child in node)
        {
            if (child.Kind is JsonTokenType.StartObject or JsonTokenType.StartArray)
            {
                if (HoldsToken(child, body)) return true;
            }
            else if (child is { Name: "data", Kind: JsonTokenType.String } && body.Find(child.Text) is not null) return true;
        }
        return false;
    }
}
