using System.Buffers.Text;
using System.Security.Cryptography;
using PmrGateway.Gateway.Options;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// Ties a login form to the browser that it was given to, so that no other site sends one: a cookie that other sites' forms do not carry,
/// and a field that is sealed for this cookie. Every gateway on the keyring takes it, also after a restart.
/// </summary>
internal sealed class LoginForm(Keyring keyring, BaseUrl baseUrl, TimeProvider time)
{
    /// <summary>Name of the field.</summary>
    public const string Field = "form_token";

    private const string Cookie = "pmr-login";
    private const int CookieBytes = 16;
    private readonly ShortLivedBox _box = new(keyring, "login-form", TimeSpan.FromHours(1), time);

    /// <summary>What the field of a form says; the browser gets its cookie where it has none.</summary>
    public string FieldFor(HttpContext context)
    {
        if (CookieOf(context) is not { } cookie)
        {
            cookie = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(CookieBytes));
            context.Response.Cookies.Append(Cookie, cookie, new CookieOptions
            {
                HttpOnly = true,
                SameSite = SameSiteMode.Strict,
                Secure = baseUrl.Public.StartsWith("https:", StringComparison.Ordinal),
                Path = SmartPaths.Authorize,
                IsEssential = true,
            });
        }
        return Base64Url.EncodeToString(_box.Seal([], cookie));
    }

    /// <summary>Whether a form that came is one that this browser was given.</summary>
    public bool IsOurs(HttpContext context, IFormCollection form)
    {
        Span<byte> box = stackalloc byte[ShortLivedBox.SealedSize(0)];
        return CookieOf(context) is { } cookie
            && Base64Url.TryDecodeFromChars(form[Field].ToString(), box, out var length)
            && length == box.Length
            && _box.TryOpen(box, cookie, []);
    }

    private static string? CookieOf(HttpContext context) =>
        context.Request.Cookies[Cookie] is { } cookie && cookie.Length == Base64Url.GetEncodedLength(CookieBytes) ? cookie : null;
}
