using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace PmrGateway.Bench.Floor;

/// <summary>Lets requests with a token of this process pass. A token is verified once and remembered until it expires.</summary>
internal sealed class TokenGate(TimeProvider time)
{
    private const string Name = "floor";
    private const string Scheme = "Bearer ";
    private readonly ECDsaSecurityKey _key = new(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = Name };
    private readonly JsonWebTokenHandler _handler = new();
    private readonly ConcurrentDictionary<string, DateTimeOffset> _validated = new(StringComparer.Ordinal);

    /// <summary>A token for some hours.</summary>
    public string IssueToken() => _handler.CreateToken(new SecurityTokenDescriptor
    {
        Issuer = Name,
        Audience = Name,
        Expires = time.GetUtcNow().AddHours(12).UtcDateTime,
        Claims = new Dictionary<string, object> { ["sub"] = Name, ["scope"] = "system/*.cruds" },
        SigningCredentials = new SigningCredentials(_key, SecurityAlgorithms.EcdsaSha256),
    });

    /// <summary>The middleware: 401 without a valid token.</summary>
    public async Task CheckAsync(HttpContext context, RequestDelegate next)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (_validated.TryGetValue(header, out var expiry) && expiry > time.GetUtcNow())
        {
            await next(context);
            return;
        }
        if (!await ValidateAsync(header))
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }
        await next(context);
    }

    private async Task<bool> ValidateAsync(string header)
    {
        if (!header.StartsWith(Scheme, StringComparison.Ordinal)) return false;
        var parameters = new TokenValidationParameters { ValidIssuer = Name, ValidAudience = Name, IssuerSigningKey = _key };
        var result = await _handler.ValidateTokenAsync(header[Scheme.Length..], parameters);
        if (result.IsValid) _validated[header] = new DateTimeOffset(result.SecurityToken.ValidTo, TimeSpan.Zero);
        return result.IsValid;
    }
}
