using System.Globalization;
using Hl7.Fhir.Model;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Operation Patient/$retention: until when records of a patient must be kept, by which rule, and which legal holds stand. It is told the
/// patient, the hospital that keeps the patient, and the operator, of each record that who asks may see and of no other; a date that hangs
/// on what who asks may not see is told as the least that it is. https://hl7.org/fhir/R4/operations.html
/// </summary>
internal sealed class RetentionOperation(
    ReadFlow flow, LegalHolds holds, DirectoryStore directory, PageCursor cursors, Denials denials, SearchClock clock,
    GatewayOptions options, BaseUrl baseUrl)
{
    private const int MaxCount = 1000;

    private readonly RetentionTable _table = options.Retention.Table;

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var caller = call.Caller;
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, refusal);
        // To anybody else the patient is unknown.
        if (await directory.PatientAsync(call.Id, cancellation) is not { Custodian: { } hospital } || !IsTold(caller, call.Id, hospital))
            return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, Outcome.NotFound);
        if (Subset.IsAsked(call.Request.Query))
        {
            return FhirResponse.From(Outcome.Of(
                OutcomeCategory.Malformed, $"taken is _count, not '{Subset.Summary}' and '{Subset.Elements}'"));
        }
        var query = PageQuery.Of(call, null, MaxCount);
        if (query.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);
        var (asked, path) = (query.Value, $"Patient/{call.Id}/$retention");
        var position = cursors.Open(caller, asked.Self(path), asked.Cursor);
        if (position.Failure is { } notOurs) return FhirResponse.From(notOurs);
        var answer = await clock.RunAsync(stop => FindAsync(call, path, asked, position.Value, stop), cancellation);
        return answer.Failure is { } tooLong ? FhirResponse.From(tooLong) : answer.Value;
    }

    private async Task<FhirResponse> FindAsync(
        FhirCall call, string path, PageQuery asked, long position, CancellationToken cancellation)
    {
        var caller = call.Caller;
        var standing = await holds.StandingAsync(call.Id, cancellation);
        var named = await holds.NamedAsync(caller, standing, cancellation);
        var types = FhirTypes.Offered.Where(t => caller.Refuse(t, ScopeAction.Read) is null).ToList();
        SnapshotPage page = new([], 0, null);
        return await flow.RunAsync(
            caller, call.AsRead() with { Searches = true, Query = "$retention" },
            async snapshot =>
            {
                if (!await snapshot.ReachesAsync("Patient", call.Id, cancellation)) return new Found([], Outcome.NotFound);
                page = await snapshot.CompartmentAsync(
                    call.Id, types.Count == FhirTypes.Offered.Count ? null : types, position, asked.Count, cancellation);
                // The birth date is that of the Patient as who asks may read it. The records are told of, and not opened.
                return await snapshot.ReadAsync("Patient", call.Id, null, cancellation) is { Version.IsDeleted: false } self
                    ? new Found([self]) { Told = [call.Id] }
                    : new Found([]) { Told = [call.Id] };
            },
            opened =>
            {
                RetainedPatient? patient = opened.Count == 0 ? null : new(BirthDates.Of(opened[0].Content), standing.Count > 0);
                var answer = Head(standing.Count > 0, named);
                foreach (var version in page.Versions) answer.Parameter.Add(Record(version.Version, patient, standing.Count > 0));
                answer.Add("total", new Integer((int)page.Total));
                if (page.Next is { } next)
                    answer.Add("next", new FhirUri($"{baseUrl.Fhir}/{cursors.Next(caller, asked.Pages(path), next)}"));
                return new FhirResponse(200, Fhir.FhirTyped.ToJson(answer));
            },
            cancellation);
    }

    private static bool IsTold(Caller caller, string patient, string hospital) => caller.Kind switch
    {
        CallerKind.Operator => true,
        CallerKind.Patient => caller.Requester.Patient == patient,
        CallerKind.System => caller.ActorKind == ActorKind.Hospital && caller.Requester.Organization == hospital,
        _ => false,
    };

    private Parameters Head(bool isHeld, IReadOnlyList<string> named)
    {
        var answer = new Parameters();
        var table = new Parameters.ParameterComponent { Name = "table" };
        table.Part.Add(new() { Name = "years", Value = new Integer(_table.Years) });
        table.Part.Add(new() { Name = "ageOfMajority", Value = new Integer(_table.AgeOfMajority) });
        foreach (var (type, years) in _table.YearsOf.OrderBy(y => y.Key, StringComparer.Ordinal))
        {
            var other = new Parameters.ParameterComponent { Name = "type" };
            other.Part.Add(new() { Name = "code", Value = new Code(type) });
            other.Part.Add(new() { Name = "years", Value = new Integer(years) });
            table.Part.Add(other);
        }
        answer.Parameter.Add(table);
        answer.Add("held", new FhirBoolean(isHeld));
        foreach (var hold in named) answer.Add("hold", new ResourceReference(hold));
        return answer;
    }

    // patient: as who asks may read it; null: not at all. Of whom else a record concerns nothing is told, nor by a date.
    private Parameters.ParameterComponent Record(StoredVersion version, RetainedPatient? patient, bool isHeld)
    {
        var facts = version.Facts;
        var kept = RetentionRule.Of(
            _table,
            new RetainedRecord(facts.Type, facts.Details.To, version.LastUpdated, patient is { } known ? [known] : []));
        // Whether copies in it are of patients who are known here must not show: they count for the shell alone.
        var isAll = patient is not null && facts.Patients.Count == 1 && !RetentionRule.GoesWithLongest(facts.Type);
        var record = new Parameters.ParameterComponent { Name = "record" };
        record.Part.Add(new() { Name = "reference", Value = new ResourceReference($"{facts.Type}/{facts.Id}") });
        record.Part.Add(new() { Name = "rule", Value = new Code(kept.Rule) });
        record.Part.Add(new() { Name = "years", Value = new Integer(kept.Years) });
        if (kept.Until is { } until)
        {
            var day = new Date(until.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
            record.Part.Add(new() { Name = isAll ? "until" : "atLeastUntil", Value = day });
        }
        record.Part.Add(new() { Name = "held", Value = new FhirBoolean(isHeld) });
        return record;
    }
}
