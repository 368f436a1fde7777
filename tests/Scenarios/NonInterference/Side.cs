using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios.NonInterference;

/// <summary>One of the two gateways, with the cast registered, and which name in the test is which id there.</summary>
internal sealed partial class Side : IAsyncDisposable
{
    /// <summary>An id that no gateway ever gave.</summary>
    public const string Nobody = "00000000-0000-4000-8000-000000000000";

    private readonly RunningGateway _gateway = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private readonly Dictionary<string, string> _ids = [];
    private readonly Dictionary<string, string> _names = [];
    private readonly Dictionary<string, string> _stamps = [];
    private readonly Dictionary<string, string> _moments = [];
    private readonly Dictionary<string, GatewayClient> _clients = [];

    private readonly int _seed;

    private Side(int seed) => _seed = seed;

    public string Url => _gateway.Options.Url;

    /// <summary>Starts one.</summary>
    /// <param name="seed">What the scopes of the narrow tokens are rolled by.</param>
    public static async Task<Side> StartAsync(int seed)
    {
        for (var tries = 1; ; tries++)
        {
            var side = new Side(seed);
            try
            {
                return await StartAsync(side);
            }
            catch (IOException) when (tries < 3)
            {
                // Many start at once: another's connection may have taken the port that was free.
                await side.DisposeAsync();
            }
        }
    }

    private static async Task<Side> StartAsync(Side side)
    {
        await side._gateway.InitializeAsync();
        var gateway = side._gateway;
        side._clients["ehr"] = gateway.Ehr;
        side._clients["other"] = gateway.OtherEhr;
        side._clients["insurer"] = gateway.Insurer;
        side._clients["lab"] = await gateway.RegisterSystemAsync("lab", gateway.Hospital, "system/*.cruds", "TREAT");
        side._clients["lab+"] = await gateway.RegisterSystemAsync(
            "narrow", gateway.Hospital,
            NarrowScopes.Of(new Dice(side._seed), "system", "system/Patient.rs system/Binary.rs system/Consent.rs system/Task.rs "
                + "system/Organization.rs system/Practitioner.rs system/*.cud"),
            "TREAT");
        (var doctor, side._clients["doctor"]) = await gateway.RegisterDoctorAsync("doctor", gateway.OtherHospital);
        side.Learn("hospital", gateway.Hospital.Split('/')[1]);
        side.Learn("other", gateway.OtherHospital.Split('/')[1]);
        side.Learn("insurer", gateway.InsurerOrganization.Split('/')[1]);
        side.Learn("doctor", doctor.Split('/')[1]);
        side.Learn("nobody", Nobody);
        return side;
    }

    /// <summary>Says which id a name is here.</summary>
    public void Learn(string name, string id) => (_ids[name], _names[id]) = (id, name);

    /// <summary>What a request made.</summary>
    public void Made(string name, Answer answer)
    {
        Learn(name, answer.Id);
        Stamp($"{name}.v1", LastUpdated().Match(answer.Text).Groups[1].Value);
    }

    /// <summary>The id of a name; null: there is no such record here.</summary>
    public string? Find(string name) => _ids.GetValueOrDefault(name);

    /// <summary>The name of what a URL ends with; null: it is no record of the test.</summary>
    public string? NameOf(string url) => _names.GetValueOrDefault(url[(url.LastIndexOf('/') + 1)..]);

    /// <summary>
    /// A name that is not here is sent with the id that it has on the other side: as one names what one has heard of.
    /// </summary>
    public void Hear(Side of)
    {
        foreach (var (name, id) in of._ids)
            if (_ids.TryAdd(name, id)) _names[id] = name;
        foreach (var (name, stamp) in of._stamps)
            if (!_stamps.ContainsKey(name)) Stamp(name, stamp);
    }

    /// <summary>A text in which what is not there by now is nobody.</summary>
    public string Known(string text) => Name().Replace(text, m => _ids.ContainsKey(m.Groups[1].Value) ? m.Value : "§nobody§");

    /// <summary>A text with the ids and instants that its names have here.</summary>
    public string Resolve(string text) => Instant().Replace(
        Name().Replace(text, m => _ids.GetValueOrDefault(m.Groups[1].Value, Nobody)),
        m => _stamps.GetValueOrDefault(m.Groups[1].Value, "2026-01-01T00:00:00.000Z"));

    /// <summary>Who acts under a name: one of the cast, or a patient of a world.</summary>
    public async Task<GatewayClient> ClientAsync(string who)
    {
        if (!_clients.TryGetValue(who, out var client))
            _clients[who] = client = who.EndsWith('+') ? await NarrowAsync(_ids[who[..^1]]) : await _gateway.LoginPatientAsync(_ids[who]);
        return client;
    }

    // A patient by an app that reaches some records alone.
    private async Task<GatewayClient> NarrowAsync(string patient)
    {
        const string App = "narrow-app";
        string[] all = ["patient/*.rs", "patient/Consent.cruds", "patient/Task.cu"];
        await _gateway.Operator.AdminAsync(
            "clients", new { clientId = App, redirectUris = new[] { RunningGateway.Redirect }, scopes = all });
        var username = "narrow-" + patient;
        await _gateway.Operator.AdminAsync(
            "users", new { username, password = RunningGateway.Password, fhirUser = "Patient/" + patient });
        var scopes = NarrowScopes.Of(
            new Dice(_seed + 1), "patient",
            "patient/Patient.rs patient/Binary.rs patient/Consent.cruds patient/Task.rs patient/Task.cu patient/Organization.rs");
        return await _gateway.Anyone.LoginUserAsync(
            App, RunningGateway.Redirect, username, RunningGateway.Password, "openid fhirUser " + scopes);
    }

    /// <summary>Does a write, and learns the ids and instants that come of it.</summary>
    /// <returns>The names of the Binaries that were split off; null: it was refused.</returns>
    public async Task<(IReadOnlyList<string>? Binaries, Answer Answer)> WriteAsync(Step step, int version, IReadOnlyList<string>? named)
    {
        await NextMomentAsync();
        var client = await ClientAsync(step.Author);
        var path = $"{step.Type}/{_ids.GetValueOrDefault(step.Name)}";
        var body = Resolve(step.Body);
        var answer = step.Verb switch
        {
            Verb.Create => await client.PostAsync(step.Endpoint, body),
            Verb.Update => await client.PutAsync(path, "{" + $"\"id\":\"{_ids[step.Name]}\"," + body.TrimStart()[1..]),
            _ => await client.DeleteAsync(path),
        };
        if (answer.Status is < 200 or > 299) return (null, answer);
        if (step.Verb == Verb.Create) Learn(step.Name, answer.Id);
        var binaries = new List<string>();
        if (step.Verb == Verb.Delete) return (binaries, answer);
        foreach (Match url in BinaryUrl().Matches(answer.Text))
        {
            if (_names.ContainsKey(url.Groups[1].Value)) continue;
            var name = named?.ElementAtOrDefault(binaries.Count) ?? $"{step.Name}v{version}a{binaries.Count}";
            binaries.Add(name);
            Learn(name, url.Groups[1].Value);
        }
        Stamp($"{step.Name}.v{version}", LastUpdated().Match(answer.Text).Groups[1].Value);
        return (binaries, answer);
    }

    /// <summary>Writes a Binary on its own.</summary>
    public async Task WriteBinaryAsync(string author, string name, string stamp, string contentType, string data)
    {
        await NextMomentAsync();
        var client = await ClientAsync(author);
        var body = $$$"""{"resourceType":"Binary","contentType":"{{{contentType}}}","data":"{{{data}}}"}""";
        var created = await client.PostAsync("Binary", body);
        Assert.True(created.Status == 201, created.Text);
        Learn(name, created.Id);
        Stamp(stamp, LastUpdated().Match((await client.GetAsync($"Binary/{created.Id}")).Text).Groups[1].Value);
    }

    /// <summary>Waits until every grant counts and every batch is on the chain.</summary>
    public async Task SettleAsync(IEnumerable<Step> consents, Step last)
    {
        foreach (var consent in consents)
        {
            var patient = await ClientAsync(consent.Author);
            await GatewayClient.UntilAsync(
                () => patient.GetAsync($"Consent/{_ids[consent.Name]}/$ledger-status"),
                a => !a.Text.Contains("submitted", StringComparison.Ordinal) && !a.Text.Contains("granted", StringComparison.Ordinal));
        }
        var author = await ClientAsync(last.Author);
        var proof = await GatewayClient.UntilAsync(
            () => author.GetAsync($"{last.Type}/{_ids[last.Name]}/$anchor-proof"),
            a => a.Status != 200 || !a.Text.Contains("pending", StringComparison.Ordinal));
        Assert.True(proof.Status == 200, proof.Text);
    }

    /// <summary>Asks as somebody; names in the question are this side's ids.</summary>
    public async Task<Answer> AskAsync(
        string who, string method, string path, IEnumerable<(string Name, string Value)> headers, string? body, string? contentType)
    {
        var url = Resolve(path);
        var root = url.StartsWith("http", StringComparison.Ordinal) ? url : $"{Url}/fhir{(url.Length > 0 ? "/" : "")}{url}";
        using var request = new HttpRequestMessage(new HttpMethod(method), root);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (await ClientAsync(who)).Token);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(Resolve(body)));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        }
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, Resolve(value));
        var response = await _http.SendAsync(request);
        return new Answer((int)response.StatusCode, await response.Content.ReadAsByteArrayAsync(), response);
    }

    /// <summary>
    /// An answer in the names of the test. What is left out: the random id of a Bundle, where a next link begins (sealed, and another each
    /// time), block numbers, transactions, and commitments (salted), and what a proof proves, since its path is that of its batch.
    /// </summary>
    /// <param name="answer">The answer.</param>
    /// <param name="path">What was asked for.</param>
    public string InNames(Answer answer, string path)
    {
        var isProof = path.EndsWith("$anchor-proof", StringComparison.Ordinal);
        // The numbers of blocks have more digits where more was written.
        var isOfChain = isProof || path.EndsWith("$ledger-status", StringComparison.Ordinal)
            || path.EndsWith("$consent-explain", StringComparison.Ordinal);
        var text = new StringBuilder().Append(answer.Status).Append('\n');
        var headers = answer.Headers.Headers.Concat(answer.Headers.Content.Headers).OrderBy(h => h.Key, StringComparer.Ordinal);
        foreach (var (name, values) in headers)
        {
            if (name is "Date" or "Server" or "Transfer-Encoding" || (isOfChain && name == "Content-Length")) continue;
            text.Append(name).Append(": ").Append(name == "Last-Modified" ? "T" : string.Join(',', values)).Append('\n');
        }
        var body = isProof && answer.Status == 200 && answer.Body.Length > 0
            ? string.Join(',', answer.Json.EnumerateObject().Select(p => p.Name))
            : answer.Text;
        return InNames(text.Append(body).ToString());
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _gateway.DisposeAsync();
    }

    // Two writes of one millisecond would have one moment, and one of them the other's name for it.
    private static Task NextMomentAsync() => Task.Delay(2);

    private void Stamp(string name, string instant)
    {
        _stamps[name] = instant;
        _moments.TryAdd(instant, name);
    }

    /// <summary>A text in the names of the test.</summary>
    public string InNames(string text)
    {
        text = text.Replace(Url, "BASE", StringComparison.Ordinal);
        text = Cursor().Replace(text, "_cursor=C");
        // One of the same millisecond as another is so by chance.
        text = OfTask().Replace(text, "${1}T\"");
        text = Moment().Replace(text, m => _moments.GetValueOrDefault(Uri.UnescapeDataString(m.Value), "T"));
        text = Uuid().Replace(text, m => _names.GetValueOrDefault(m.Value, "ID"));
        text = Hash().Replace(text, "H");
        return Block().Replace(text, "${1}N");
    }

    [GeneratedRegex("§([a-z0-9.+]+)§")]
    private static partial Regex Name();

    [GeneratedRegex("¤([a-z0-9.]+)¤")]
    private static partial Regex Instant();

    [GeneratedRegex("\"url\":\"Binary/([0-9a-f-]{36})\"")]
    private static partial Regex BinaryUrl();

    [GeneratedRegex("\"lastUpdated\":\"([^\"]*)\"")]
    private static partial Regex LastUpdated();

    [GeneratedRegex("(\"(?:authoredOn|lastModified|end)\":\")[^\"]*\"")]
    private static partial Regex OfTask();

    // In a body, or in a URL.
    [GeneratedRegex("2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}(?::|%3A)[0-9]{2}(?::|%3A)[0-9]{2}\\.[0-9]{3}Z")]
    private static partial Regex Moment();

    [GeneratedRegex("_cursor=[A-Za-z0-9_-]+")]
    private static partial Regex Cursor();

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex Uuid();

    [GeneratedRegex("(?:0x)?[0-9a-f]{64}")]
    private static partial Regex Hash();

    [GeneratedRegex("(block=|\"name\":\"block\",\"valueInteger\":)[0-9]+")]
    private static partial Regex Block();
}
