using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace PmrGateway.Gateway.Smart;

/// <summary>What holds of the header of every token that is shown here, an access token or a client's assertion.</summary>
internal static class JoseHeader
{
    private static readonly JsonDocumentOptions Unique = new() { AllowDuplicateProperties = false };

    /// <summary>Why a token is refused for its header; null: it is not.</summary>
    public static string? Problem(JsonWebToken token)
    {
        try
        {
            using var header = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(token.EncodedHeader), Unique);
            // What it lists must be understood, or the token is none; nothing that can be listed is understood here (RFC 7515, 4.1.11).
            return header.RootElement.TryGetProperty("crit", out _) ? "its header has crit" : null;
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException)
        {
            return "its header is not JSON with each member once";
        }
    }
}
