using System.Numerics;
using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Ledger;

/// <summary>A wallet's signature over a grant, with what it takes to check it.</summary>
/// <param name="Salt">Salt of the commitment, 32 bytes.</param>
/// <param name="Nonce">Nonce of the intent.</param>
/// <param name="Deadline">Deadline of the intent, Unix seconds.</param>
/// <param name="Signature">r || s || v, 65 bytes.</param>
public sealed record SignedIntent(byte[] Salt, BigInteger Nonce, BigInteger Deadline, byte[] Signature);

/// <summary>The extension of a Consent that carries a wallet's EIP-712 signature (profile pmr-consent-intent).</summary>
internal static class ConsentIntentExtension
{
    public const string Url = "https://pmrgateway.example/fhir/StructureDefinition/pmr-consent-intent";

    /// <summary>The signed intent; null where the Consent carries none, or with an issue where it is broken.</summary>
    public static SignedIntent? Read(ResourceDocument consent, out ValidationIssue? issue)
    {
        issue = null;
        foreach (var extension in consent.Root.ItemsAt("extension"))
        {
            if (extension.StringAt("url") != Url) continue;
            var parts = extension.ItemsAt("extension").Where(p => p.StringAt("url") is not null).ToLookup(p => p.StringAt("url")!);
            string? Part(string name, string value) => parts[name].Select(p => p.StringAt(value)).FirstOrDefault();
            if (Base64(Part("salt", "valueBase64Binary")) is { Length: 32 } salt
                && Base64(Part("signature", "valueBase64Binary")) is { Length: 65 } signature
                && Number(Part("nonce", "valueString")) is { } nonce
                && Number(Part("deadline", "valueString")) is { } deadline)
                return new SignedIntent(salt, nonce, deadline, signature);
            issue = new ValidationIssue(IssueSeverity.Error, IssueCode.Value, "Consent.extension", "pmr-consent-intent holds salt (32 bytes), nonce, deadline and signature (65 bytes)");
        }
        return null;
    }

    private static byte[]? Base64(string? text)
    {
        var bytes = new byte[128];
        return text is { Length: < 160 } && Convert.TryFromBase64String(text, bytes, out var length) ? bytes[..length] : null;
    }

    private static BigInteger? Number(string? text) =>
        text is { Length: > 0 and <= 78 } && text.All(char.IsAsciiDigit) && BigInteger.Parse(text, System.Globalization.CultureInfo.InvariantCulture) is var number && number < BigInteger.One << 256
            ? number
            : null;
}
