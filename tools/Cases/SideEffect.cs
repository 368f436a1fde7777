using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace PmrGateway.Tools.Cases;

/// <summary>What a request must have left as it was: looked at before and after, by who may always read it.</summary>
internal sealed partial class SideEffect
{
    private readonly CaseContext _context;
    private readonly string _text;
    private readonly string? _named;
    private readonly Func<JsonObject, string?> _part;
    private string? _before;

    private SideEffect(CaseContext context, string text, string? named, Func<JsonObject, string?> part) =>
        (_context, _text, _named, _part) = (context, text, named, part);

    /// <summary>What a case says of it; null: nothing.</summary>
    public static async Task<SideEffect?> OfAsync(CaseContext context, RequestText request)
    {
        if ((string?)context.Spec.Expect["sideEffect"] is not { } text) return null;
        var effect = Read(context, request, text);
        effect._before = await effect.LookAsync();
        return effect;
    }

    /// <summary>What differs now; null: nothing.</summary>
    public async Task<string?> DifferenceAsync()
    {
        var now = await LookAsync();
        return now == _before ? null : $"'{_text}' is not so: before {_before}, after {now}";
    }

    private static SideEffect Read(CaseContext context, RequestText request, string text)
    {
        if (text == "no chain transaction") return new(context, text, null, _ => null);
        if (Form().Match(text) is not { Success: true } m) throw CaseFailed.NotUnderstood($"sideEffect '{text}'");
        var what = m.Groups["what"].Value;
        var path = request.Url.Split('?')[0].Split('/');
        var named = what is "labels" or "grant" or "record"
            ? context.References.SuiteOf(string.Join('/', path.Take(2))) ?? throw CaseFailed.NotUnderstood($"sideEffect '{text}'")
            : context.Named(what);
        return new(context, text, named, (what, m.Groups["how"].Value) switch
        {
            ("labels", _) => body => body["meta"]?["security"]?.ToJsonString(),
            (_, "still exists") => _ => "it exists",
            (_, "still belongs to") => body => (body["subject"] ?? body["patient"])?.ToJsonString(),
            _ => body => body.ToJsonString(),
        });
    }

    private async Task<string> LookAsync()
    {
        if (_named is null) return $"{await _context.Stage.Probe.TransactionsAsync()} transactions";
        var owner = await _context.OwnerAsync(_named);
        var server = _context.References.Find(_named)!;
        var read = await owner.GetAsync(server);
        if (read.Status != 200) return $"status {read.Status}";
        var status = _named.StartsWith("Consent/", StringComparison.Ordinal)
            ? CaseContext.Status(await owner.GetAsync(server + "/$ledger-status"))
            : "";
        return _part(JsonNode.Parse(read.Body)!.AsObject()) + status;
    }

    [GeneratedRegex(@"^(?<what>\S+) (?<how>still exists|unchanged|still belongs to)(?: \S+)?$")]
    private static partial Regex Form();
}
