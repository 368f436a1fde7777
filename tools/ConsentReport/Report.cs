using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.ConsentReport;

/// <summary>Asks on every surface in every state, and prints what leaked.</summary>
internal static partial class Report
{
    private const string Logs = "what the gateway logs";

    /// <returns>Whether every surface was tested and nothing leaked.</returns>
    public static async Task<bool> RunAsync(Stage stage, TextWriter to)
    {
        // The chain stops last: nothing is confirmed after that.
        var states = State.Closing.Prepend(State.Permit).ToList();
        var (subjects, bare) = (new Dictionary<State, Subject>(), new Dictionary<State, Subject>());
        foreach (var state in states)
        {
            subjects[state] = await Subject.WriteAsync(stage);
            await state.Set(stage, subjects[state]);
            if (!state.HasConsent) continue;
            bare[state] = await Subject.BareAsync(stage);
            await state.Set(stage, bare[state]);
        }
        var proof = $"DocumentReference/{subjects[states[^1]].Bundle}/$anchor-proof";
        await GatewayClient.UntilAsync(
            () => stage.Keeper.Client.GetAsync(proof), a => !a.Text.Contains("pending", StringComparison.Ordinal));

        await to.WriteLineAsync("""
            A cell: the bytes of the records that are in the answers, and one more where they are others than about what
            never was; where a Consent stands that names who asks (*), than about a patient who gave that and has no records.
            Columns: the states of consent; permit shows that there is something to leak.
            """);
        for (var i = 1; i < states.Count; i++)
            await to.WriteLineAsync($"{Column(i),4} {states[i].Name}{(states[i].HasConsent ? " *" : "")}");
        await to.WriteLineAsync();
        var (leaked, cells, untested) = (0, 0, new List<string>());
        var rows = Surface.All.ToDictionary(s => s.Name, _ => new List<string>());
        rows[Logs] = [];
        for (var i = 0; i < states.Count; i++)
        {
            var (state, subject) = (states[i], subjects[states[i]]);
            if (state.IsSuspended) await stage.SuspendAsync(stage.Suspended.Organization);
            if (state.IsStale) await stage.StopChainAsync();
            foreach (var surface in Surface.All)
            {
                var asker = i == 0 ? Controller(stage, subject, surface.Control)
                    : state.IsSuspended ? stage.Suspended.Client
                    : stage.Asker.Client;
                var (bytes, differs) = await AskAsync(stage, asker, surface, subject, bare.GetValueOrDefault(state));
                var cell = bytes + (differs ? 1 : 0);
                rows[surface.Name].Add($"{cell}");
                if (i > 0) (leaked, cells) = (leaked + cell, cells + 1);
                else if (surface.Control != Control.Nobody && (surface.ShowsBytes ? bytes == 0 : !differs)) untested.Add(surface.Name);
                else if (surface.Control == Control.Nobody) leaked += cell;
            }
        }
        for (var i = 0; i < states.Count; i++)
        {
            var bytes = subjects[states[i]].LeakedIn(Encoding.UTF8.GetBytes(stage.Log));
            rows[Logs].Add($"{bytes}");
            leaked += bytes;
            if (i > 0) cells++;
        }
        var width = rows.Keys.Max(n => n.Length) + 2;
        await to.WriteLineAsync(new string(' ', width) + string.Concat(states.Select((_, i) => $"{Column(i),6}")));
        foreach (var (name, row) in rows) await to.WriteLineAsync(name.PadRight(width) + string.Concat(row.Select(c => $"{c,6}")));
        foreach (var name in untested) await to.WriteLineAsync($"NOT TESTED {name}: it shows nothing where all is permitted");
        await to.WriteLineAsync();
        await to.WriteLineAsync($"LEAKED {leaked} bytes in {cells} cells");
        return leaked == 0 && untested.Count == 0;
    }

    private static string Column(int at) => at == 0 ? "permit" : at.ToString(CultureInfo.InvariantCulture);

    private static GatewayClient Controller(Stage stage, Subject subject, Control control) => control switch
    {
        Control.Keeper => stage.Keeper.Client,
        Control.Patient => subject.Self!,
        _ => stage.Asker.Client,
    };

    private static async Task<(int Bytes, bool Differs)> AskAsync(
        Stage stage, GatewayClient asker, Surface surface, Subject subject, Subject? bare)
    {
        var (bytes, differs) = (0, false);
        Subject[] shadows = bare is null ? [Subject.Ghost()] : [Subject.Ghost(), bare];
        foreach (var (real, at) in surface.Ask(subject).Select((r, i) => (r, i)))
        {
            var about = await SendAsync(real);
            bytes += subject.LeakedIn(Encoding.UTF8.GetBytes(about.Headers)) + subject.LeakedIn(about.Body);
            var isOther = true;
            foreach (var shadow in shadows)
                isOther = isOther && InNames(about, subject) != InNames(await SendAsync(surface.Ask(shadow).ElementAt(at)), shadow);
            differs |= isOther;
        }
        return (bytes, differs);

        async Task<(string Headers, byte[] Body)> SendAsync(Request request)
        {
            var path = request.Path.Replace("VIEWER", stage.Other.Organization.Split('/')[1], StringComparison.Ordinal);
            var answer = await stage.SendAsync(asker, request with { Path = path });
            // Not those that are of the moment.
            var headers = answer.Headers.Headers.Concat(answer.Headers.Content.Headers).Where(h => h.Key != "Date")
                .OrderBy(h => h.Key, StringComparer.Ordinal).Select(h => $"{h.Key}: {string.Join(',', h.Value)}\n");
            return ($"{answer.Status}\n{string.Concat(headers)}", answer.Body);
        }
    }

    // The ids of what the request itself made, its moment, and the salted commitments of Consents are others each time.
    private static string InNames((string Headers, byte[] Body) answer, Subject subject)
    {
        var text = subject.Named(answer.Headers + Encoding.UTF8.GetString(answer.Body));
        return LastModified().Replace(Block().Replace(Moment().Replace(Random().Replace(text, "ID"), "T"), "block"), "");
    }

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}")]
    private static partial Regex Random();

    [GeneratedRegex("2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z")]
    private static partial Regex Moment();

    [GeneratedRegex("\"?block\"?[=:][0-9]+")]
    private static partial Regex Block();

    [GeneratedRegex("Last-Modified: [^\n]*\n")]
    private static partial Regex LastModified();
}
