using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Cases;

/// <summary>An OpenID issuer that says of a person whatever a case wants: any purpose of use, or none, any scope, any lifetime.</summary>
internal sealed class Issuer : IAsyncDisposable
{
    /// <summary>The audience of its tokens.</summary>
    public const string Audience = "pmr-cases";

    private readonly TokenIssuer _issuer;

    private Issuer(TokenIssuer issuer) => _issuer = issuer;

    public string Url => _issuer.Url;

    public static async Task<Issuer> StartAsync() => new(await TokenIssuer.StartAsync());

    /// <summary>A token.</summary>
    /// <param name="subject">Who.</param>
    /// <param name="client">By which app.</param>
    /// <param name="scopes">Its scopes.</param>
    /// <param name="purposes">Its purposes of use; none: no such claim.</param>
    /// <param name="wish">What else a case says of it.</param>
    public string Token(string subject, string client, string scopes, IReadOnlyList<string> purposes, TokenWish wish)
    {
        var claims = new Dictionary<string, object> { ["sub"] = subject, ["client_id"] = client, ["scope"] = scopes };
        if (purposes.Count > 0) claims["purpose_of_use"] = purposes;
        // Breaking the glass takes a reason.
        if (purposes.Contains("BTG") && !wish.IsWithoutReason) claims["purpose_of_use_reason"] = "a case of the suite";
        return _issuer.Token(wish.Audience ?? Audience, claims, wish.Life);
    }

    /// <summary>A token with the signature of a key that no issuer has.</summary>
    public static string Forged(string token)
    {
        var signed = token[..token.LastIndexOf('.')];
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return $"{signed}.{Base64UrlEncoder.Encode(key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256))}";
    }

    public ValueTask DisposeAsync() => _issuer.DisposeAsync();
}
