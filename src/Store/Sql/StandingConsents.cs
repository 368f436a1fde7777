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

    /// <summary>Those that concern a viewer at an instant.</summary>
    /// <param name="who">Who looks.</param>
    /// <param name="now">The instant, ms since 1970.</param>
    /// <param name="key">The viewer's key for consents.</param>
    /// <param name="labels">Of which labels they must say something; null: whatever the labels.</param>
    public IReadOnlyList<SpeakingConsent> Of(Viewer who, long now, string key, LabelSet? labels)
    {
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
            foreach (var known in all)
            {
                foreach (var span in known.Said.Spans)
                {
                    foreach (var cut in (ReadOnlySpan<long>)[span.From, span.To])
                        if (cut <= now) from = Math.Max(from, cut);
                        else to = Math.Min(to, cut);
                }
                if (known.Said.At(now) is { } shape && ConsentDecision.Concerns(shape, who.Requester, who.Action) is { } exceptions)
                    consents.Add(new SpeakingConsent(known, shape, exceptions));
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

/// <summary>What the standing consents of patients say to a snapshot's viewer now, whatever the tables of spans and verdicts do.</summary>
internal sealed class ViewerConsents(BoundViewer viewer, Dictionary<string, StandingConsents> standing)
{
    private readonly string _key = standing.Count == 0 ? "" : viewer.Who.ConsentKey;

    /// <summary>The consents of some of these patients.</summary>
    /// <param name="patients">Whose.</param>
    /// <param name="labels">Of which labels they must say something; null: whatever the labels.</param>
    public IReadOnlyList<StandingConsent> Of(IEnumerable<string> patients, LabelSet? labels) =>
        [.. Speaking(patients, labels).Select(c => c.At(viewer.ConfirmedBlock))];

    /// <summary>The consents of some of these patients, whatever the labels, with their terms.</summary>
    /// <param name="patients">Whose.</param>
    public IReadOnlyList<(StandingConsent Consent, ConsentTerms Terms)> WithTerms(IEnumerable<string> patients) =>
        [.. Speaking(patients, null).Select(c => (c.At(viewer.ConfirmedBlock), c.Known.Said.Terms))];

    private IEnumerable<SpeakingConsent> Speaking(IEnumerable<string> patients, LabelSet? labels) =>
        patients.SelectMany(p => standing.TryGetValue(p, out var own) ? ByBothClocks(own, labels) : []);

    // The twin of AccessSql.Permits: what does not say the same by both clocks denies what it denies by either, and permits nothing.
    private IEnumerable<SpeakingConsent> ByBothClocks(StandingConsents own, LabelSet? labels)
    {
        var now = own.Of(viewer.Who, viewer.Now, _key, labels);
        if (viewer.Latest == viewer.Now) return now;
        var latest = own.Of(viewer.Who, viewer.Latest, _key + " latest", labels);
        return now.Select(c => c with { IsPassing = !latest.Any(c.IsSameAs) })
            .Concat(latest.Where(c => !now.Any(c.IsSameAs)).Select(c => c with { IsPassing = true }));
    }
}

/// <summary>A consent that concerns a viewer.</summary>
/// <param name="Known">Its row and its terms.</param>
/// <param name="Shape">What its terms say now.</param>
/// <param name="Exceptions">Which of its exceptions concern the viewer.</param>
internal sealed record SpeakingConsent(KnownConsent Known, TermsShape Shape, IReadOnlyList<int> Exceptions)
{
    /// <summary>Whether it says this by one clock alone.</summary>
    public bool IsPassing { get; init; }

    /// <summary>Whether another is the same consent and says the same.</summary>
    public bool IsSameAs(SpeakingConsent other) => ReferenceEquals(Known, other.Known) && ReferenceEquals(Shape, other.Shape);

    /// <summary>As the decision takes it.</summary>
    /// <param name="confirmedBlock">Grants up to this block permit.</param>
    public StandingConsent At(long confirmedBlock) =>
        new(Known.Row.Commitment, Known.Row.PatientId, Shape, Known.Row.GrantedBlock <= confirmedBlock && !IsPassing)
        {
            ConsentId = Known.Row.ConsentId,
        };
}
