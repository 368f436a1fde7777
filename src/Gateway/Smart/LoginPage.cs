using System.Text;
using System.Text.Encodings.Web;
using OpenIddict.Abstractions;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Smart;

/// <summary>The login form of the gateway's own issuer. It works without scripts, and carries the authorization request along.</summary>
internal static class LoginPage
{
    public static IResult Show(OpenIddictRequest request, string field, bool failed)
    {
        var fields = new StringBuilder();
        foreach (var (name, value) in request.GetParameters())
        {
            if (name is "username" or "password" or LoginForm.Field) continue;
            fields.Append($"<input type=\"hidden\" name=\"{Html(name)}\" value=\"{Html(value.ToString() ?? "")}\">\n");
        }
        fields.Append($"<input type=\"hidden\" name=\"{LoginForm.Field}\" value=\"{Html(field)}\">\n");
        var html =
            $$"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Log in - PmrGateway</title>
            <style>
            body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 10vh auto; padding: 0 1rem; }
            label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
            input { margin: .25rem 0 1rem; padding: .5rem; }
            button { padding: .6rem; }
            .error { color: #a00; }
            code { overflow-wrap: anywhere; unicode-bidi: isolate; }
            </style>
            </head>
            <body>
            <h1>Log in</h1>
            <p>{{Html(request.ClientId ?? "")}} asks for access to:</p>
            <ul>
            {{string.Join('\n', request.GetScopes().Select(s => $"<li>{Words(s)}</li>"))}}
            </ul>
            {{(failed ? "<p class=\"error\" role=\"alert\">Name or password is wrong.</p>" : "")}}
            <form method="post" action="/connect/authorize">
            {{fields}}
            <label for="username">Name</label>
            <input id="username" name="username" autocomplete="username" required autofocus>
            <label for="password">Password</label>
            <input id="password" name="password" type="password" autocomplete="current-password" required>
            <button type="submit">Log in and allow</button>
            </form>
            </body>
            </html>
            """;
        return new Page(html);
    }

    // What a scope with search parameters says, decoded as it is read (ScopeReader), each part by itself: no value is taken for a word.
    private static string Words(string scope)
    {
        if (scope.Split('?', 2) is not [var name, var query]) return Code(scope);
        var conditions = query.Split('&').Select(part => part.Split('=', 2)).Select(part =>
            $"{Code(Uri.UnescapeDataString(part[0]))} is "
                + string.Join(" or ", ParameterValue.Split(Uri.UnescapeDataString(part[^1]), ',').Select(Code)));
        return $"{Code(name)} where {string.Join(" and ", conditions)}";
    }

    private static string Code(string text) => $"<code>{Html(text)}</code>";

    private static string Html(string text) => HtmlEncoder.Default.Encode(text);

    private sealed class Page(string html) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
            httpContext.Response.Headers.XFrameOptions = "DENY";
            httpContext.Response.Headers.XContentTypeOptions = "nosniff";
            httpContext.Response.Headers["Referrer-Policy"] = "no-referrer";
            httpContext.Response.Headers.CacheControl = "no-store";
            httpContext.Response.ContentType = "text/html; charset=utf-8";
            return httpContext.Response.WriteAsync(html, httpContext.RequestAborted);
        }
    }
}
