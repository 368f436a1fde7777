using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// What the operator's directory entries mean to the ledger: an Organization of type prov is a hospital, of type pay or ins an insurer; a
/// PractitionerRole makes its Practitioner a doctor of its hospital for its period. <c>active: false</c> suspends, here at once.
/// </summary>
public sealed class ActorWrites(DirectoryStore directory, ILedgerJournal journal, TimeProvider time)
{
    /// <summary>
    /// The extension of a hospital's Organization that says where its standing policy on breaking the glass is published (valueUrl).
    /// Without one nobody of the hospital breaks the glass, and nobody breaks that of what the hospital keeps.
    /// </summary>
    public const string GlassPolicyUrl = "https://pmrgateway.example/fhir/StructureDefinition/pmr-break-glass-policy";

    private const string OrganizationTypes = "http://terminology.hl7.org/CodeSystem/organization-type";

    /// <summary>The registration or the suspension that a directory entry means, or why not.</summary>
    public async Task<Result<CommitPlan>> PlanAsync(WriteRequest request, CancellationToken cancellation) => request.Type switch
    {
        "Organization" => await OrganizationAsync(request.Id, request.Document!.Root, cancellation),
        "Practitioner" when request.Current is not null => await SuspensionAsync(
            $"Practitioner/{request.Id}", ActiveOf(request.Document!.Root), cancellation),
        "PractitionerRole" => await RoleAsync($"PractitionerRole/{request.Id}", request.Document!.Root, cancellation),
        _ => new CommitPlan(),
    };

    /// <summary>A directory entry that is deleted suspends the actor that it stands for.</summary>
    public async Task<CommitPlan> DeletionOfAsync(string reference, CancellationToken cancellation) =>
        await directory.ActorOfRoleAsync(reference, cancellation) is { } practitioner
            // Over, whatever the Practitioner says of active; by another role the practitioner may be registered again.
            ? Suspension(practitioner, false).And(Contract(practitioner.Reference, null, time.GetUtcNow()))
            : await SuspensionAsync(reference, false, cancellation);

    private async Task<Result<CommitPlan>> OrganizationAsync(string own, ElementNode organization, CancellationToken cancellation)
    {
        var reference = $"Organization/{own}";
        var types = organization.ItemsAt("type").SelectMany(t => t.ItemsAt("coding"))
            .Where(c => c.StringAt("system") == OrganizationTypes).Select(c => c.StringAt("code")).ToList();
        var kind = types.Contains("prov") ? ActorKind.Hospital
            : types.Contains("ins") || types.Contains("pay") ? ActorKind.Insurer
            : ActorKind.None;
        var declared = organization.ItemsAt("extension").Where(e => e.StringAt("url") == GlassPolicyUrl).ToList();
        var policy = declared is [var only] ? only.StringAt("valueUrl") : null;
        if (declared.Count > 0 && (policy is null || kind != ActorKind.Hospital))
            return Refused("Organization.extension", $"{GlassPolicyUrl} is one URL, of a hospital");
        var known = await directory.ActorAsync(reference, cancellation);
        if (known is not null && known.Kind != kind)
            return Refused("Organization.type", $"{reference} is registered as {known.Kind.ToString().ToLowerInvariant()}, and stays that");
        if (kind == ActorKind.None) return new CommitPlan();
        var retries = known is not null && await FailedAsync(reference, cancellation);
        if (known is not null && !retries)
            return Suspension(known, ActiveOf(organization)).And(GlassPolicy(reference, known.ActorId, known.GlassPolicy, policy));
        var id = known is null ? RandomNumberGenerator.GetBytes(32) : Convert.FromHexString(known.ActorId);
        var name = SaltedHash(organization.StringAt("name") ?? "");
        var endpoint = organization.ItemsAt("endpoint").Select(e => e.StringAt("reference")).FirstOrDefault() ?? "";
        var command = kind == ActorKind.Hospital
            ? ChainCommands.RegisterHospital(reference, id, name, SaltedHash(Address(organization)), endpoint)
            : ChainCommands.RegisterInsurer(reference, id, name);
        var actor = new DirectoryChange.AddActor(reference, Convert.ToHexStringLower(id), kind, null);
        return Registration(actor, command).And(GlassPolicy(reference, actor.ActorId, known?.GlassPolicy, policy));
    }

    // It stands here at once, and what is granted under it waits for the chain to have it.
    private static CommitPlan GlassPolicy(string reference, string actorId, string? before, string? policy) => before == policy
        ? new CommitPlan()
        : new CommitPlan
        {
            Directory = [new DirectoryChange.SetGlassPolicy(reference, policy)],
            Outbox =
            [
                ChainCommands.SetBreakGlassPolicy(
                    reference, Convert.FromHexString(actorId), policy is null ? new byte[32] : SaltedHash(policy)),
            ],
        };

    private async Task<Result<CommitPlan>> RoleAsync(string own, ElementNode role, CancellationToken cancellation)
    {
        var named = role["practitioner"]?.StringAt("reference");
        var reference = FhirReference.TryParse(named, out var practitioner) && practitioner.Type == "Practitioner"
            ? practitioner.ToString()
            : null;
        if (await directory.ActorOfRoleAsync(own, cancellation) is { } holder && holder.Reference != reference)
            return Refused("PractitionerRole.practitioner", $"it is the role of {holder.Reference}: delete it and create another");
        if (reference is null) return new CommitPlan();
        // An end given as a date includes the day.
        var ends = FhirDate.Range(role["period"]?.StringAt("end") ?? "")?.To;
        if (FhirDate.Range(role["period"]?.StringAt("start") ?? "")?.From > time.GetUtcNow())
            return Refused("PractitionerRole.period.start", "a practitioner is registered on the day on which the role begins, or later");
        var employer = role["organization"]?.StringAt("reference") ?? "";
        var known = await directory.ActorAsync(reference, cancellation);
        // An actor acts for one hospital: to the chain, and to whoever named that hospital in a consent.
        if (known is not null && known.Hospital != employer)
            return Refused("PractitionerRole.organization", $"{reference} acts for {known.Hospital}: register another Practitioner");
        if (known?.Role is { } other && other != own)
            return Refused("PractitionerRole.practitioner", $"{reference} acts by {other}: update that");
        var retries = known is not null && await FailedAsync(reference, cancellation);
        if (known is not null && !retries)
        {
            var change = Suspension(known, ActiveOf(role));
            return known.Role == own && known.Ends == ends ? change : change.And(Contract(reference, own, ends));
        }
        if (await directory.ActorAsync(employer, cancellation) is not { Kind: ActorKind.Hospital } hospital)
            return Refused("PractitionerRole.organization", "not a registered hospital");
        var id = known is null ? RandomNumberGenerator.GetBytes(32) : Convert.FromHexString(known.ActorId);
        var number = SaltedHash(role.ItemsAt("identifier").Select(i => i.StringAt("value")).FirstOrDefault() ?? reference);
        var command = ChainCommands.RegisterPractitioner(
            reference, id, number, hospital.Reference, Convert.FromHexString(hospital.ActorId));
        var doctor = new DirectoryChange.AddActor(reference, Convert.ToHexStringLower(id), ActorKind.Practitioner, hospital.Reference)
        {
            Role = own,
            Ends = ends,
        };
        return Registration(doctor, command);
    }

    private static CommitPlan Registration(DirectoryChange.AddActor actor, ChainCommand command) =>
        new() { Directory = [actor], Outbox = [command] };

    private static CommitPlan Contract(string practitioner, string? role, DateTimeOffset? ends) =>
        new() { Directory = [new DirectoryChange.SetContract(practitioner, role, ends)] };

    private static Outcome Refused(string path, string why) =>
        new(OutcomeCategory.Invalid, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, path, why)]);

    // A registration that the chain refused is tried again when the operator writes the entry again.
    private async Task<bool> FailedAsync(string reference, CancellationToken cancellation) =>
        await journal.FindAsync(ChainCommands.ActorKey(reference), cancellation) is { Status: OutboxStatus.Failed };

    private async Task<CommitPlan> SuspensionAsync(string reference, bool? active, CancellationToken cancellation) =>
        await directory.ActorAsync(reference, cancellation) is { } actor ? Suspension(actor, active) : new CommitPlan();

    private static CommitPlan Suspension(Actor actor, bool? active)
    {
        // An entry that says nothing of active neither suspends nor reinstates.
        if (active is not { } isActive || isActive == !actor.IsSuspended) return new CommitPlan();
        return new CommitPlan
        {
            Directory = [new DirectoryChange.SetSuspended(actor.Reference, !isActive)],
            Outbox = [ChainCommands.SetStatus(actor.Reference, Convert.FromHexString(actor.ActorId), isActive)],
        };
    }

    private static bool? ActiveOf(ElementNode entry) => entry["active"]?.Kind switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        _ => null,
    };

    private static string Address(ElementNode organization) => string.Join('\n', organization.ItemsAt("address").Select(a =>
    {
        var lines = a.ItemsAt("line").Where(l => l.Kind == JsonTokenType.String).Select(l => l.Text);
        string?[] place = [a.StringAt("postalCode"), a.StringAt("city"), a.StringAt("country")];
        return a.StringAt("text") ?? string.Join(", ", lines.Concat(place));
    }));

    // A bare hash of a name or a number could be found by trying them all.
    private static byte[] SaltedHash(string text) => Keccak256.Hash(RandomNumberGenerator.GetBytes(32), Encoding.UTF8.GetBytes(text));
}
