using System.Collections.Concurrent;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// A patient's consents that stand, held against their seals, and which of them have something to say: to a viewer, of a label set. Most
/// say nothing to most, and that they do is worked out once, so a patient with a thousand consents costs what one with one does.
/// </summary>
/// <remarks>
/// Left out are those alone of which <see cref="ConsentDecision"/> itself says that they say nothing, whatever else is true of the record.
/// </remarks>
internal sealed class StandingConsents(IReadOnlyList<KnownConsent> all)
{
    private const int Viewers = 64;
    private const int LabelSets = 256;
    private readonly ConcurrentDictionary<string, Concerning> _concerning = new(StringComparer.Ordinal);

    /// <summary>All of them, by commitment.</summary>
    public IReadOnlyList<KnownConsent> All => all;

    /// <summary>Those that concern a viewer now.</summary>
    /// <param name="who">Who looks.</param>
    /// <param name="key">The viewer's key for consents.</param>
    /// <param name="labels">Of which labels they must say something; null: whatever the labels.</param>
    public IReadOnlyList<SpeakingConsent> Of(Viewer who, string key, LabelSet? labels)
    {
        var now = who.Now.ToUnixTimeMilliseconds();
        if (!_concerning.TryGetValue(key, out var concerning) || now < concerning.From || now >= concerning.To)
        {
            if (_concerning.Count >= Viewers) _concerning.Clear();
            _concerning[key] = concerning = Concerning.At(now, who, all);
        }
        return labels is null ? concerning.Consents : concerning.Of(labels);
    }

    // What concerns a viewer in a stretch of time in which no provision begins or ends.
    private sealed record Concerning(long From, long To, IReadOnlyList<SpeakingConsent> Consents)
    {
        private readonly ConcurrentDictionary<string, IReadOnlyList<SpeakingConsent>> _byLabels = new(StringComparer.Ordinal);

        public static Concerning At(long now, Viewer who, IReadOnlyList<KnownConsent> all)
        {
            var (from, to) = (long.MinValue, long.MaxValue);
            var consents = new List<SpeakingConsent>();
            foreach (var (row, said) in all)
            {
                foreach (var span in said.Spans)
                {
                    foreach (var cut in (ReadOnlySpan<long>)[span.From, span.To])
                        if (cut <= now) from = Math.Max(from, cut);
                        else to = Math.Min(to, cut);
                }
                if (said.At(now) is { } shape && ConsentDecision.Concerns(shape, who.Requester, who.Action) is { } exceptions)
                    consents.Add(new SpeakingConsent(row, shape, exceptions));
            }
            return new Concerning(from, to, consents);
        }

        public IReadOnlyList<SpeakingConsent> Of(LabelSet labels)
        {
            if (_byLabels.TryGetValue(labels.Text, out var known)) return known;
            if (_byLabels.Count >= LabelSets) _byLabels.Clear();
            return _byLabels[labels.Text] =
                [.. Consents.Where(c => ConsentDecision.Verdicts(c.Shape, c.Exceptions, labels.Labels).Count > 0)];
        }
    }
}

/// <summary>What the standing consents of patients say to the viewer of a snapshot now, whatever the tables of spans and verdicts do.</summary>
internal sealed class ViewerConsents(BoundViewer viewer, Dictionary<string, StandingConsents> standing)
{
    private readonly string _key = standing.Count == 0 ? "" : viewer.Who.ConsentKey;

    /// <summary>The consents of some of these patients.</summary>
    /// <param name="patients">Whose.</param>
    /// <param name="labels">Of which labels they must say something; null: whatever the labels.</param>
    public IReadOnlyList<StandingConsent> Of(IEnumerable<string> patients, LabelSet? labels)
    {
        var consents = new List<StandingConsent>();
        foreach (var patient in patients)
        {
            if (!standing.TryGetValue(patient, out var own)) continue;
            foreach (var consent in own.Of(viewer.Who, _key, labels)) consents.Add(consent.At(viewer.ConfirmedBlock));
        }
        return consents;
    }
}

/// <summary>A consent that concerns a viewer.</summary>
/// <param name="Row">Its row.</param>
/// <param name="Shape">What its terms say now.</param>
/// <param name="Exceptions">Which of its exceptions concern the viewer.</param>
internal sealed record SpeakingConsent(ConsentRow Row, TermsShape Shape, IReadOnlyList<int> Exceptions)
{
    /// <summary>As the decision takes it.</summary>
    /// <param name="confirmedBlock">Grants up to this block permit.</param>
    public StandingConsent At(long confirmedBlock) => new(Row.Commitment, Row.PatientId, Shape, Row.GrantedBlock <= confirmedBlock)
    {
        ConsentId = Row.ConsentId,
    };
}
