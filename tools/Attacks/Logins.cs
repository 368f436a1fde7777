using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Attacks;

/// <summary>Logins of people: codes, their proof keys, the login page, what comes after.</summary>
internal static class Logins
{
    private const string OtherApp = "other-app";
    private const string Scope = "openid fhirUser patient/*.rs";

    /// <summary>What the token endpoint gives for a login of a patient.</summary>
    public static async Task<Answer> TokensAsync(Attempt a, string patient, string scope = Scope)
    {
        var (login, code) = await CodeAsync(a, patient, scope);
        return await ExchangeAsync(a, login.Exchange(code));
    }

    [Plays("AT-019")]
    public static async Task A_code_twice(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        var (login, code) = await CodeAsync(a, patient);
        var first = await ExchangeAsync(a, login.Exchange(code));
        a.Status(first, "a code", 200);
        var self = a.Stage.Anyone.As(first.Json.GetProperty("access_token").GetString());
        a.Status(await self.GetAsync($"Patient/{patient}"), "the token of the code", 200);
        a.OAuthError(await ExchangeAsync(a, login.Exchange(code)), "the same code again", "invalid_grant");
        a.Status(await self.GetAsync($"Patient/{patient}"), "the token of a code that came twice", 401);
    }

    [Plays("AT-020")]
    public static async Task A_code_of_another_client(Attempt a)
    {
        await OtherAppAsync(a);
        var (login, code) = await CodeAsync(a, await a.Stage.NewPatientAsync());
        var form = login.Exchange(code);
        form["client_id"] = OtherApp;
        a.OAuthError(await ExchangeAsync(a, form), "app's code by other-app", "invalid_grant");
    }

    [Plays("AT-021")]
    public static async Task A_code_without_its_proof(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        foreach (var kind in new[] { "missing", "blank", "wrong", "plain" })
        {
            var (login, code) = await CodeAsync(a, patient);
            var form = login.Exchange(code);
            if (kind == "missing") form.Remove("code_verifier");
            if (kind == "blank") form["code_verifier"] = "";
            if (kind == "wrong") form["code_verifier"] = new string('x', 43);
            if (kind == "plain") form["code_verifier"] = login.Parameters["code_challenge"];
            // Without a verifier the request itself is not whole: the library says invalid_request.
            a.OAuthError(
                await ExchangeAsync(a, form), $"a {kind} verifier",
                kind is "missing" or "blank" ? ["invalid_grant", "invalid_request"] : ["invalid_grant"]);
        }
        foreach (var kind in new[] { "no challenge", "plain" })
        {
            var login = GatewayClient.NewLogin(Stage.App, Registrar.Redirect, Scope);
            var parameters = new Dictionary<string, string>(login.Parameters);
            if (kind == "plain") parameters["code_challenge_method"] = "plain";
            else foreach (var name in new[] { "code_challenge", "code_challenge_method" }) parameters.Remove(name);
            var page = await a.Stage.Anyone.LoginPageAsync(login with { Parameters = parameters });
            var shown = page.Headers.Headers.Location?.ToString() ?? page.Text;
            a.Check(
                page.Status is 302 or 400 && shown.Contains("invalid_request", StringComparison.Ordinal)
                && GatewayClient.CodeOf(page) is null,
                $"authorize with {kind}", "invalid_request", $"{page.Status} {shown}");
        }
    }

    [Plays("AT-023")]
    public static async Task A_login_for_another_server(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        await a.Stage.Registrar.UserAsync("aud-" + patient, "Patient/" + patient);
        var good = GatewayClient.NewLogin(Stage.App, Registrar.Redirect, Scope, ("aud", a.Stage.Url + "/fhir"));
        a.Check(
            GatewayClient.CodeOf(await a.Stage.Anyone.AuthorizeAsync(good, "aud-" + patient, Registrar.Password)) is not null,
            "a login with the right aud", "a code", "none");
        foreach (var aud in new[] { "https://evil/fhir", a.Stage.Url, a.Stage.Url + "/fhir/x" })
        {
            var login = GatewayClient.NewLogin(Stage.App, Registrar.Redirect, Scope, ("aud", aud));
            var answer = await a.Stage.Anyone.LoginPageAsync(login);
            var location = answer.Headers.Headers.Location?.ToString() ?? "";
            a.Check(
                location.StartsWith(Registrar.Redirect, StringComparison.Ordinal)
                    && location.Contains("error=", StringComparison.Ordinal) && GatewayClient.CodeOf(answer) is null,
                $"authorize with aud={aud}", "an error to redirect_uri, no code", $"{answer.Status} {location}");
        }
    }

    [Plays("AT-025")]
    public static async Task More_than_was_granted_at_a_refresh(Attempt a) =>
        throw await NoRefreshTokensAsync(a);

    [Plays("AT-026")]
    public static async Task A_refresh_token_twice(Attempt a) => throw await NoRefreshTokensAsync(a);

    [Plays("AT-027")]
    public static async Task A_refresh_token_of_another_client(Attempt a) => throw await NoRefreshTokensAsync(a);

    [Plays("AT-033")]
    public static async Task A_login_page_that_another_site_sends_or_frames(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        await a.Stage.Registrar.UserAsync("csrf-" + patient, "Patient/" + patient);
        var login = GatewayClient.NewLogin(Stage.App, Registrar.Redirect, Scope);
        // Another site sends its own form: it has no cookie of ours, and no field that belongs to one.
        var form = new Dictionary<string, string>(login.Parameters)
        {
            ["username"] = "csrf-" + patient,
            ["password"] = Registrar.Password,
        };
        using var bare = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        var victim = new GatewayClient(bare, a.Stage.Url);
        var page = await victim.LoginPageAsync(login);
        var sent = await victim.PostFormAsync("connect/authorize", form);
        a.Check(sent.Status == 400 && GatewayClient.CodeOf(sent) is null, "a login form of another site", "400", sent);
        // Its own page's field, and the victim's browser without the attacker's cookie.
        sent = await victim.AuthorizeAsync(login, "csrf-" + patient, Registrar.Password);
        a.Check(sent.Status == 400 && GatewayClient.CodeOf(sent) is null, "a login form without its cookie", "400", sent);

        string Header(string name) => page.Headers.Headers.TryGetValues(name, out var values) ? string.Join("; ", values) : "";
        var policy = Header("Content-Security-Policy");
        a.Check(policy.Contains("frame-ancestors 'none'", StringComparison.Ordinal), "the login page", "frame-ancestors 'none'", policy);
        a.Check(Header("X-Frame-Options") == "DENY", "the login page", "X-Frame-Options: DENY", Header("X-Frame-Options"));
        var cookies = Header("Set-Cookie");
        a.Check(
            cookies.Contains("samesite=", StringComparison.OrdinalIgnoreCase) && cookies.Contains("httponly",
            StringComparison.OrdinalIgnoreCase),
            "the login page", "SameSite and HttpOnly cookies", cookies);
    }

    private static async Task<(Login Login, string Code)> CodeAsync(Attempt a, string patient, string scope = Scope)
    {
        var username = $"user-{patient}-{Guid.CreateVersion7():N}";
        await a.Stage.Registrar.UserAsync(username, "Patient/" + patient);
        var login = GatewayClient.NewLogin(Stage.App, Registrar.Redirect, scope);
        var redirect = await a.Stage.Anyone.AuthorizeAsync(login, username, Registrar.Password);
        return (login, GatewayClient.CodeOf(redirect)
            ?? throw new InvalidOperationException($"no code: {redirect.Status} {redirect.Text}"));
    }

    private static Task<Answer> ExchangeAsync(Attempt a, Dictionary<string, string> form) =>
        a.Stage.Anyone.PostFormAsync("connect/token", form);

    private static async Task OtherAppAsync(Attempt a)
    {
        var registered = await a.Stage.Operator.AdminAsync(
            "clients", new { clientId = OtherApp, redirectUris = new[] { Registrar.Redirect }, scopes = new[] { "patient/*.rs" } });
        if (registered.Status is not (201 or 409)) throw new InvalidOperationException($"no app: {registered.Text}");
    }

    // As long as none is given out and none is taken. When that changes, these attacks fail until they are written.
    private static async Task<Exception> NoRefreshTokensAsync(Attempt a)
    {
        var login = GatewayClient.NewLogin(Stage.App, Registrar.Redirect, Scope + " offline_access");
        var page = await a.Stage.Anyone.LoginPageAsync(login);
        var tokens = await TokensAsync(a, await a.Stage.NewPatientAsync());
        var asked = await ExchangeAsync(a, new Dictionary<string, string>
        {
            ["grant_type"] = "refresh_token",
            ["client_id"] = Stage.App,
            ["refresh_token"] = "x",
            ["scope"] = "system/*.*",
        });
        var has = page.Status == 200
            || tokens.Text.Contains("refresh_token", StringComparison.Ordinal)
            || !asked.Text.Contains("unsupported_grant_type", StringComparison.Ordinal);
        return has
            ? new InvalidOperationException("the gateway has refresh tokens, and this tool does not play with them yet")
            : new NotApplicableException("no refresh token is given out or taken: they come with the issue of SMART app launch");
    }
}
