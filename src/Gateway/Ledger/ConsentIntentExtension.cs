using System.Numerics;
using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Ledger;

/// <summary>A wallet's signature over an intent, with what it takes to check it.</summary>
/// <param name="Salt">Salt of the commitment, 32 bytes; null: the intent revokes what the Consent granted before.</param>
/// <param name="Nonce">Nonce of the intent.</param>
/// <param name="Deadline">Deadline of the intent, Unix seconds.</param>
/// <param name="Signature">r || s || v, 65 bytes.</param>
public sealed record SignedIntent(byte[]? Salt, BigInteger Nonce, BigInteger Deadline, byte[] Signature);

/// <summary>The signatures that a Consent carries.</summary>
/// <param name="Grant">Over the grant that it becomes; null: none.</param>
/// <param name="Revocation">Over the revocation of what it granted before; null: none.</param>
public sealed record SignedIntents(SignedIntent? Grant, SignedIntent? Revocation);

/// <summary>The extensions of a Consent that carry a wallet's EIP-712 signatures (profile pmr-consent-intent).</summary>
internal static class ConsentIntentExtension
{
    public const string Url = "https://pmrgateway.example/fhir/StructureDefinition/pmr-consent-intent";

    /// <summary>The signed intents, at most one of each kind; with an issue where one is broken.</summary>
    public static SignedIntents Read(ResourceDocument consent, out ValidationIssue? issue)
    {
        issue = null;
        var (grant, revocation) = ((SignedIntent?)null, (SignedIntent?)null);
        foreach (var extension in consent.Root.ItemsAt("extension"))
        {
            if (extension.StringAt("url") != Url) continue;
            if (ReadOne(extension) is not { } signed)
                issue = Issue("pmr-consent-intent holds nonce, deadline and signature (65 bytes), and for a grant salt (32 bytes)");
            else if ((signed.Salt is null ? revocation : grant) is not null)
                issue = Issue("a Consent carries one signature for its grant and one for the revocation of what it granted before");
            else if (signed.Salt is null)
                revocation = signed;
            else
                grant = signed;
        }
        return new SignedIntents(grant, revocation);
    }

    /// <summary>An issue with the extension.</summary>
    public static ValidationIssue Issue(string text, IssueCode code = IssueCode.Value) =>
        new(IssueSeverity.Error, code, "Consent.extension", text);

    private static SignedIntent? ReadOne(ElementNode extension)
    {
        var parts = extension.ItemsAt("extension").Where(p => p.StringAt("url") is not null).ToLookup(p => p.StringAt("url")!);
        string? Part(string name, string value) => parts[name].Select(p => p.StringAt(value)).FirstOrDefault();
        var salt = Base64(Part("salt", "valueBase64Binary"));
        if (parts.Contains("salt") && salt is not { Length: 32 }) return null;
        return Base64(Part("signature", "valueBase64Binary")) is { Length: 65 } signature
            && Number(Part("nonce", "valueString")) is { } nonce
            && Number(Part("deadline", "valueString")) is { } deadline
                ? new SignedIntent(salt, nonce, deadline, signature)
                : null;
    }

    private static byte[]? Base64(string? text)
    {
        var bytes = new byte[128];
        return text is { Length: < 160 } && Convert.TryFromBase64String(text, bytes, out var length) ? bytes[..length] : null;
    }

    private static BigInteger? Number(string? text) =>
        text is { Length: > 0 and <= 78 } && text.All(char.IsAsciiDigit)
        && BigInteger.Parse(text, System.Globalization.CultureInfo.InvariantCulture) is var number && number < BigInteger.One << 256
            ? number
            : null;
}
