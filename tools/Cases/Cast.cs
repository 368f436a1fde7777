using PmrGateway.Gateway.Smart;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Cases;

/// <summary>A token, or how the authorization server refused it.</summary>
internal sealed record TokenOrRefusal(string? Token, string? Refusal);

/// <summary>Everybody of a suite who outlives a case: organizations, their system clients, practitioners.</summary>
internal sealed class Cast
{
    private const string App = "cases-app";
    private const string Redirect = "http://127.0.0.1/callback";
    private const string Password = "correct horse battery";
    private const string AllOfSystems = "system/*.cruds";
    private readonly Suite _suite;
    private readonly Issuer _issuer;
    private readonly Stage _stage;
    private readonly GatewayClient _admin;
    private readonly Dictionary<string, ClientKey> _keys = [];
    private readonly Dictionary<string, GatewayClient> _systems = [];
    private readonly HashSet<string> _users = [];
    private readonly Dictionary<string, bool> _scopes = [];

    private Cast(Suite suite, Issuer issuer, Stage stage, GatewayClient admin) =>
        (_suite, _issuer, _stage, _admin, Missing) = (suite, issuer, stage, admin, new Missing(suite));

    /// <summary>The server's references of the cast.</summary>
    public ReferenceMap References { get; } = new();

    /// <summary>Who of the cast could not be registered.</summary>
    public Missing Missing { get; }

    public static async Task<Cast> RegisterAsync(Suite suite, Issuer issuer, Stage stage, GatewayClient admin)
    {
        var cast = new Cast(suite, issuer, stage, admin);
        var missing = cast.Missing;
        foreach (var organization in suite.Organizations)
            await missing.TryAsync(organization, () => cast.AddOrganizationAsync(organization));
        foreach (var practitioner in suite.Practitioners)
            await missing.TryAsync(practitioner, () => cast.AddPractitionerAsync(practitioner));
        var ofSetups = suite.ScopesInSetups.ToList();
        foreach (var actor in suite.Actors.Values.Where(a => a.IsSystem))
        {
            var scopes = actor.Scopes.Split(' ').Concat(ofSetups);
            await missing.TryAsync(actor.Name, () => cast.AddClientAsync(actor.Name, actor.Organization!, scopes, suite.PurposesOf(actor)));
        }
        foreach (var hospital in suite.Organizations.Where(suite.IsHospital))
            await missing.TryAsync(hospital, () => cast.AddSystemAsync(hospital));
        var ofPeople = await cast.TakenAsync(suite.Actors.Values.Where(a => !a.IsSystem).SelectMany(a => a.Scopes.Split(' '))
            .Concat(ofSetups).Concat(["patient/*.rs", "patient/Consent.cruds", "user/*.rs"]));
        await cast.AdminAsync("clients", new { clientId = App, redirectUris = new[] { Redirect }, scopes = ofPeople });
        foreach (var practitioner in suite.Practitioners)
            if (missing.Why(practitioner) is null) await missing.TryAsync(practitioner, () => cast.BindPractitionerAsync(practitioner));
        return cast;
    }

    /// <summary>The system that writes for an organization.</summary>
    public GatewayClient SystemOf(string organization) => _systems.TryGetValue(organization, out var client)
        ? client
        : throw CaseFailed.NotUnderstood($"{organization} writes, and is no hospital");

    /// <summary>A patient, or who acts for one, logged in with these scopes.</summary>
    /// <param name="reference">The server's reference.</param>
    /// <param name="scopes">Resource scopes.</param>
    /// <param name="purposes">Its purposes of use.</param>
    public async Task<GatewayClient> LoginAsync(string reference, string scopes, params string[] purposes)
    {
        var token = await UserTokenAsync(reference, scopes, purposes);
        return _stage.Anyone.As(token.Token ?? throw new CaseFailed($"{reference} cannot log in: {token.Refusal}"));
    }

    /// <summary>The token that an actor comes with.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="purposes">Its purposes of use.</param>
    /// <param name="wish">What the case says of it.</param>
    /// <param name="references">The case's references.</param>
    public async Task<TokenOrRefusal> TokenAsync(
        SuiteActor actor, IReadOnlyList<string> purposes, TokenWish wish, ReferenceMap references)
    {
        var token = await UnspoiltAsync(actor, purposes, wish, references);
        if (token.Token is null) return token;
        if (wish.IsRevoked) await RevokeAsync(actor, token.Token);
        return wish.IsForged ? token with { Token = Issuer.Forged(token.Token) } : token;
    }

    private async Task<TokenOrRefusal> UserTokenAsync(string reference, string scopes, params string[] purposes)
    {
        var username = "p-" + reference.Split('/')[1];
        if (!_users.Contains(username))
        {
            var registered = await _admin.AdminAsync("users", new { username, password = Password, fhirUser = reference });
            if (registered.Status != 201) return Refused("the registration of a user", registered);
            _users.Add(username);
        }
        var login = GatewayClient.NewLogin(
            App, Redirect, $"openid fhirUser {scopes}", [.. purposes.Select(p => ("purpose_of_use", p))]);
        // What is refused already is told there.
        if (await _stage.Anyone.LoginPageAsync(login) is { Status: not 200 } page) return Refused("the login page", page);
        var redirect = await _stage.Anyone.AuthorizeAsync(login, username, Password);
        return GatewayClient.CodeOf(redirect) is { } code
            ? Token(await _stage.Anyone.PostFormAsync("connect/token", login.Exchange(code)))
            : Refused("the login", redirect);
    }

    private static TokenOrRefusal Token(Answer answer) => answer.Status == 200
        ? new(answer.Json.GetProperty("access_token").GetString(), null)
        : Refused("the token endpoint", answer);

    // What breaks down refuses nothing.
    private static TokenOrRefusal Refused(string what, Answer answer) => answer.Status < 500
        ? new(null, $"{what} answered {answer.Status} {answer.Headers.Headers.Location} {answer.Text}")
        : throw new CaseFailed($"{what} answered {answer.Status} {answer.Text}");

    private async Task<TokenOrRefusal> UnspoiltAsync(
        SuiteActor actor, IReadOnlyList<string> purposes, TokenWish wish, ReferenceMap references)
    {
        var scopes = wish.Scopes ?? actor.Scopes;
        if (actor.IsAnonymous) return new(null, null);
        if (actor.IsPractitioner && !wish.IsRevoked)
            return new(_issuer.Token(Subject(actor.FhirUser!), actor.Client, scopes, purposes, wish), null);
        if (wish.Life is not null || wish.Audience is not null || wish.IsWithoutReason)
            throw CaseFailed.NotApplicable("only tokens of practitioners have a lifetime, an audience and a reason of their own");
        // What another issuer gave is not revoked here: a practitioner whose token is logs in here.
        if (actor.IsPractitioner)
            return await UserTokenAsync(References.Find(actor.FhirUser!)!, scopes, [.. purposes.Take(1)]);
        if (actor.IsSystem) return await SystemTokenAsync(actor, purposes, scopes);
        if (!actor.LogsIn) throw CaseFailed.NotUnderstood("fhirUser " + actor.FhirUser);
        // Whoever is not a patient of this case cannot log in, which is a fault of the file.
        var patient = references.Find(actor.FhirUser!) ?? throw CaseFailed.NotUnderstood(actor.FhirUser + " is not in resources");
        return await UserTokenAsync(patient, scopes);
    }

    private async Task<TokenOrRefusal> SystemTokenAsync(SuiteActor actor, IReadOnlyList<string> purposes, string scopes)
    {
        var client = actor.Name;
        if (purposes.Count == 0 && !_suite.IsHospital(actor.Organization!))
        {
            // A system has the purposes that it is registered for: to have none it is registered for none. A hospital's keeps its
            // name all the same, since it is by that name an author.
            client += "-none";
            if (!_keys.ContainsKey(client)) await AddClientAsync(client, actor.Organization!, scopes.Split(' '), []);
        }
        if (purposes.Count > 1) throw CaseFailed.NotApplicable("a system asks for one purpose of use at a time");
        return Token(await _stage.Anyone.RequestTokenAsync(client, _keys[client].Credentials, scopes, purposes.FirstOrDefault()));
    }

    private async Task RevokeAsync(SuiteActor actor, string token)
    {
        var answer = actor.IsSystem
            ? await _stage.Anyone.As(token).RevokeAsync(actor.Name, _keys[actor.Name].Credentials)
            : await _stage.Anyone.PostFormAsync(
                "connect/revoke", new Dictionary<string, string> { ["token"] = token, ["client_id"] = App });
        if (answer.Status != 200) throw new CaseFailed($"the token is not revoked: {answer.Status} {answer.Text}");
    }

    private async Task AddOrganizationAsync(string reference)
    {
        // The chain knows hospitals and insurers; whoever only reads is registered as the latter.
        var type = _suite.IsHospital(reference) ? "prov" : "ins";
        References.Add(reference, await new Registrar(_stage.Anyone, _admin).OrganizationAsync(reference, type));
    }

    private async Task AddPractitionerAsync(string reference)
    {
        var created = await _admin.PostAsync(
            "Practitioner", $$$"""{"resourceType":"Practitioner","name":[{"family":"{{{Subject(reference)}}}"}]}""");
        var practitioner = "Practitioner/" + Created(created, reference);
        References.Add(reference, practitioner);
        var role = await _admin.PostAsync("PractitionerRole", $$$"""
            {"resourceType":"PractitionerRole","active":true,"identifier":[{"value":"R-{{{Subject(reference)}}}"}],
            "practitioner":{"reference":"{{{practitioner}}}"},
            "organization":{"reference":"{{{References.Find(_suite.EmployerOf(reference))}}}"}}
            """);
        Created(role, "role of " + reference);
    }

    private async Task BindPractitionerAsync(string reference)
    {
        var practitioner = References.Find(reference)!;
        var actor = (await _stage.Service<DirectoryStore>().ActorAsync(practitioner, default))!;
        var key = CallerResolver.BindingKey(_issuer.Url, "user:" + Subject(reference));
        var command = ChainCommands.BindClient(practitioner, Convert.FromHexString(actor.ActorId), key);
        await _stage.Service<ILedgerJournal>().EnqueueAsync([command], default);
        var client = _stage.Anyone.As(_issuer.Token(Subject(reference), "ehr-ui", "user/*.rs", ["TREAT"], new TokenWish()));
        await ReadyAsync(client, practitioner);
    }

    private async Task AddSystemAsync(string hospital)
    {
        var actor = _suite.Actors.Values.FirstOrDefault(a => a.IsSystem && a.Writes && a.Organization == hospital)?.Name;
        if (actor is null)
        {
            actor = "system-" + Subject(hospital);
            await AddClientAsync(actor, hospital, [], ["TREAT"]);
        }
        if (Missing.Why(actor) is { } why) throw new CaseFailed(why);
        _systems[hospital] = await _stage.Anyone.LoginAsync(actor, _keys[actor].Credentials, AllOfSystems);
    }

    private async Task AddClientAsync(string clientId, string organization, IEnumerable<string> scopes, string[] purposes)
    {
        var (key, reference) = (new ClientKey(), References.Find(organization) ?? throw new CaseFailed($"{organization} is missing"));
        var taken = await TakenAsync(scopes.Append(AllOfSystems));
        await AdminAsync("clients", new { clientId, jwks = key.Jwks, actor = reference, scopes = taken, purposes });
        _keys[clientId] = key;
        await ReadyAsync(await _stage.Anyone.LoginAsync(clientId, key.Credentials, AllOfSystems), reference);
    }

    // The scopes that the gateway knows: a client with another is none at all. Who asks for that one is refused it.
    private async Task<string[]> TakenAsync(IEnumerable<string> scopes)
    {
        var taken = new List<string>();
        foreach (var scope in scopes.Where(s => s.Length > 0).Distinct())
        {
            if (!_scopes.TryGetValue(scope, out var isTaken))
            {
                var clientId = $"scope-{_scopes.Count}";
                var answer = await _admin.AdminAsync(
                    "clients", new { clientId, redirectUris = new[] { Redirect }, scopes = new[] { scope } });
                isTaken = _scopes[scope] = answer.Status < 500
                    ? answer.Status == 201
                    : throw new InvalidOperationException($"admin/clients: {answer.Status} {answer.Text}");
            }
            if (isTaken) taken.Add(scope);
        }
        return [.. taken];
    }

    private async Task ReadyAsync(GatewayClient client, string self)
    {
        var ready = await _stage.Chain.UntilAsync(() => client.GetAsync(self), a => a.Status == 200);
        if (ready.Status != 200) throw new InvalidOperationException($"{self} is not on the chain: {ready.Status} {ready.Text}");
    }

    private async Task AdminAsync(string path, object body)
    {
        var answer = await _admin.AdminAsync(path, body);
        if (answer.Status != 201) throw new InvalidOperationException($"admin/{path}: {answer.Status} {answer.Text}");
    }

    private static string Created(Answer answer, string what) => answer.Status == 201
        ? answer.Id
        : throw new InvalidOperationException($"{what} is not registered: {answer.Status} {answer.Text}");

    private static string Subject(string reference) => reference.Split('/')[1];
}
