using System.Security.Cryptography;
using PmrGateway.Gateway.Content;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Flows;

/// <summary>What the writes of one request share: who writes, which patients it makes, which keys it seals under.</summary>
/// <param name="caller">Who writes.</param>
/// <param name="database">Where patients and records are looked up.</param>
/// <param name="directory">Where keys are looked up.</param>
/// <param name="vault">Makes keys.</param>
/// <param name="viewers">Under whose eyes records are looked up.</param>
/// <param name="body">The request's body: where what it brings goes, and what was cut out of it.</param>
public sealed class WriteContext(
    Caller caller, RecordDatabase database, DirectoryStore directory, RecordVault vault, Viewers viewers, StreamedBody body)
{
    private readonly Dictionary<string, byte[]> _newPatients = new(StringComparer.Ordinal);
    // Those that the writer's hospital keeps.
    private readonly HashSet<string> _knownPatients = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (SubjectKey Key, byte[] Wrapped, bool IsNew)> _keys = new(StringComparer.Ordinal);
    private readonly List<Precondition> _if = [];
    private readonly List<AuditEntry> _told = [];

    /// <summary>Who writes.</summary>
    public Caller Caller => caller;

    /// <summary>The request's body; its upload has the content of all Binaries of the request.</summary>
    public StreamedBody Body => body;

    /// <summary>What must hold when the request is committed.</summary>
    public IReadOnlyList<Precondition> Preconditions => _if;

    /// <summary>Keys made for this request.</summary>
    public IReadOnlyList<WrappedSubjectKey> NewKeys =>
        [.. _keys.Where(k => k.Value.IsNew).Select(k => new WrappedSubjectKey(k.Key, k.Value.Wrapped))];

    /// <summary>
    /// What its conditions have told, for the audit log: committed with what is written, or with the refusal, so that a condition costs the
    /// same whatever there is of what it names.
    /// </summary>
    public IReadOnlyList<AuditEntry> Told => _told;

    /// <summary>Whether one of its conditions named something that it does not match: see <see cref="Found.HasMissed"/>.</summary>
    public bool HasMissed { get; private set; }

    /// <summary>A condition was asked.</summary>
    /// <param name="found">What it matches.</param>
    /// <param name="entries">What the log is to be told of it.</param>
    public void Tell(Found found, IEnumerable<AuditEntry> entries)
    {
        _told.AddRange(entries);
        HasMissed |= found.HasMissed;
    }

    /// <summary>The log has what was told until now.</summary>
    public void IsLogged() => _told.Clear();

    /// <summary>Asks that a search finds, of what the writer may see, the same still when the request is committed.</summary>
    /// <param name="query">The search.</param>
    /// <param name="only">Id of the one record that it finds; null: none.</param>
    /// <param name="longest">How long that may take.</param>
    public void Require(SearchQuery query, string? only, TimeSpan longest) =>
        _if.Add(new Precondition.Matches(viewers.Of(caller), query, only) { Longest = longest });

    /// <summary>A patient that this request makes.</summary>
    /// <param name="id">The id.</param>
    public void AddPatient(string id) => _newPatients.TryAdd(id, RandomNumberGenerator.GetBytes(32));

    /// <summary>The on-chain key of a patient that this request makes; null: it makes none such.</summary>
    public byte[]? KeyOfNewPatient(string id) => _newPatients.GetValueOrDefault(id);

    /// <summary>
    /// Whether this writer may write a record about a patient: the patient's custodian may, keeping records is its duty; another hospital
    /// by a consent of the patient that covers the record and the action <c>collect</c>. Of one who is not there: no.
    /// </summary>
    public async ValueTask<bool> MayWriteAboutAsync(string patient, RecordFacts record, CancellationToken cancellation)
    {
        if (_newPatients.ContainsKey(patient) || _knownPatients.Contains(patient)) return true;
        await using var snapshot = await database.SnapshotAsync(
            viewers.Of(caller.Requester, DataAction.Write), searches: false, cancellation);
        var isKept = await snapshot.KeptAsync("Patient", patient, cancellation) is { IsDeleted: false };
        if (isKept) _knownPatients.Add(patient);
        return isKept || ((await snapshot.PatientsAsync([new PatientMention(patient, "", "")], cancellation))[0].Count > 0
            && await snapshot.PermitsWriteAsync(record, patient, cancellation));
    }

    /// <summary>
    /// The patients known here of whom a record holds copies, besides those whom it is about. A copy that may be of one of these is of
    /// that one: a person is registered at more than one hospital.
    /// </summary>
    public async ValueTask<IReadOnlyList<string>> MentionedAsync(ResourceDraft draft, CancellationToken cancellation)
    {
        if (draft.Mentions.Count == 0) return [];
        await using var snapshot = await database.SnapshotAsync(viewers.Of(caller.Requester), searches: false, cancellation);
        var known = await snapshot.PatientsAsync(draft.Mentions, cancellation);
        return [.. known.Where(k => !k.Intersect(draft.Facts.Patients).Any()).SelectMany(k => k).Distinct()];
    }

    /// <summary>The key of a subject, made where it has none yet.</summary>
    public async ValueTask<SubjectKey> SubjectKeyAsync(string subject, CancellationToken cancellation)
    {
        if (_keys.TryGetValue(subject, out var known)) return known.Key;
        var isNew = subject.StartsWith("Patient/", StringComparison.Ordinal) && _newPatients.ContainsKey(subject["Patient/".Length..]);
        var kept = isNew ? null : await directory.SubjectKeyAsync(subject, cancellation);
        var wrapped = kept ?? vault.NewSubjectKey(subject);
        var key = vault.UnwrapSubjectKey(subject, wrapped);
        _keys[subject] = (key, wrapped, kept is null);
        return key;
    }
}
