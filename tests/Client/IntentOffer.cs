using System.Text.Json;
using System.Text.Json.Nodes;

namespace PmrGateway.Tests.Client;

/// <summary>What <c>Consent/$intent</c> offers a wallet to sign, and the Consent that carries its signature.</summary>
/// <param name="TypedData">The EIP-712 typed data.</param>
/// <param name="Salt">Salt of a grant, base64; null: it revokes.</param>
/// <param name="Nonce">The intent's nonce, decimal.</param>
/// <param name="Deadline">The intent's deadline, decimal.</param>
public sealed record IntentOffer(string TypedData, string? Salt, string Nonce, string Deadline)
{
    private const string Extension = "https://pmrgateway.example/fhir/StructureDefinition/pmr-consent-intent";

    /// <summary>The offer of a grant.</summary>
    public static IntentOffer Grant(Answer answer) => Of(answer.Json.GetProperty("parameter"));

    /// <summary>The offer of the revocation of what was granted before.</summary>
    public static IntentOffer Revocation(Answer answer) => Of(answer.Json.GetProperty("parameter").EnumerateArray()
        .Single(p => p.GetProperty("name").ValueEquals("revoke")).GetProperty("part"));

    /// <summary>A Consent with a signature over the offer.</summary>
    /// <param name="consent">The Consent.</param>
    /// <param name="signature">The signature.</param>
    public string Signed(string consent, byte[] signature)
    {
        var body = JsonNode.Parse(consent)!;
        JsonObject Part(string url, string kind, string value) => new() { ["url"] = url, [kind] = value };
        var parts = new JsonArray(
            Part("nonce", "valueString", Nonce),
            Part("deadline", "valueString", Deadline),
            Part("signature", "valueBase64Binary", Convert.ToBase64String(signature)));
        if (Salt is not null) parts.Insert(0, Part("salt", "valueBase64Binary", Salt));
        body["extension"] = new JsonArray(new JsonObject { ["url"] = Extension, ["extension"] = parts });
        return body.ToJsonString();
    }

    private static IntentOffer Of(JsonElement parameters)
    {
        string? Value(string name, string kind) => parameters.EnumerateArray()
            .Where(p => p.GetProperty("name").ValueEquals(name)).Select(p => p.GetProperty(kind).GetString()).FirstOrDefault();
        return new IntentOffer(
            Value("typedData", "valueString")!, Value("salt", "valueBase64Binary"), Value("nonce", "valueString")!,
            Value("deadline", "valueString")!);
    }
}
