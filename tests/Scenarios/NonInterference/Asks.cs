using FsCheck;
using FsCheck.Fluent;

namespace PmrGateway.Tests.Scenarios.NonInterference;

/// <summary>Random requests about the records of the worlds, whoever may see them.</summary>
/// <param name="viewer">Who asks.</param>
/// <param name="records">The records and what they are; Binaries among them.</param>
/// <param name="mirrored">The versions that both gateways have, and the instants of which are known.</param>
/// <param name="worlds">How many worlds there are.</param>
internal sealed class Asks(
    string viewer, IReadOnlyList<(string Name, string Type)> records, IReadOnlyList<string> mirrored, int worlds)
{
    private static readonly string[] Types = ["DocumentReference", "Observation", "Condition", "Consent", "Patient", "Binary", "Task"];
    private static readonly string[] Codes = ["34133-9", "11488-4", "8716-3"];
    private int _made;

    public Arbitrary<Ask> Any() => Arb.From(
        Gen.Frequency(
            (6, OneRecord), (8, Search), (3, Histories), (2, OfPatient), (3, Bundled), (1, Question), (2, ByCriteria), (1, Stolen)),
        a => a.Smaller());

    private Gen<string> Patient => from world in Gen.Choose(0, worlds - 1)
                                   from which in Gen.Elements("p", "p", "q")
                                   select $"w{world}.{which}";

    private Gen<(string Name, string Type)> Record => Gen.Frequency(
        (9, Gen.Elements<(string, string)>(records)), (1, Gen.Elements(Types).Select(t => ("nobody", t))));

    private Gen<Ask> OneRecord =>
        from record in Record
        from version in Gen.Choose(0, 4)
        from count in Gen.Choose(1, 3)
        from method in Gen.Frequency((5, Gen.Constant("GET")), (1, Gen.Constant("HEAD")))
        from accept in Gen.Elements("application/fhir+json", "application/fhir+json", "*/*", "text/plain")
        from condition in Gen.Frequency((4, Gen.Constant<(string, string)[]>([])), (1, Condition(version)))
        from range in Gen.Elements<(string, string)[]>([], [("Range", "bytes=0-3")], [("Range", "bytes=-2")], [("Range", "bytes=900-")])
        from what in Gen.Elements(
            "", "", "", $"/_history/{version}", "/_history", "/_history", $"/_history?_count={count}", "/$anchor-proof", "/$ledger-status",
            "/$everything", "/$consent-explain", "/$retention", "?_elements=id", "?_summary=true", "/_history?_summary=true",
            "/$everything?_elements=id")
        let path = $"{record.Type}/§{record.Name}§{what}"
        select new Ask(method, path.Split('?')[0], path.Split('?')[1..])
        {
            Headers = [("Accept", record.Type == "Binary" || accept != "text/plain" ? accept : "*/*"), .. condition,
                .. record.Type == "Binary" ? range : []],
        };

    private static Gen<(string, string)[]> Condition(int version) => Gen.Elements<(string, string)[]>(
        [("If-None-Match", $"W/\"{version}\"")], [("If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT")],
        [("If-Modified-Since", "Tue, 01 Jan 2199 00:00:00 GMT")]);

    private Gen<Ask> Search =>
        from type in Gen.Elements(Types)
        from parameters in Parameters(type)
        from form in Gen.Choose(0, 4)
        select form switch
        {
            0 => new Ask("POST", $"{type}/_search") { Form = parameters },
            1 when parameters.Length > 1 => new Ask("POST", $"{type}/_search", parameters[..1]) { Form = parameters[1..] },
            _ => new Ask("GET", type, parameters),
        };

    // Where somebody's page ended, or where the viewer's own of something else did.
    private Gen<Ask> Stolen =>
        from whose in Gen.Elements("ehr", "other", "insurer", "doctor", "lab")
        from type in Gen.Elements("DocumentReference", "Observation", "Condition", "Patient", "Organization")
        select new Ask("GET", type, whose == viewer ? ["_count=1", "_lastUpdated=ge2001"] : ["_count=1"]) { StolenFrom = whose };

    private Gen<Ask> Histories =>
        from record in Record
        from of in Gen.Elements("", $"{record.Type}/", $"{record.Type}/", $"{record.Type}/§{record.Name}§/")
        from count in Gen.Choose(1, 40)
        from which in Gen.Frequency((1, Gen.Constant<string[]>([])), (2, Gen.ArrayOf(Narrowed, 2)))
        from page in Gen.Frequency<string[]>(
            (2, Gen.Constant<string[]>([])), (4, Gen.Constant<string[]>([$"_count={count}"])),
            (1, Gen.Elements<string[]>(["_count=0"], ["_elements=id"], ["_summary=true"])))
        select new Ask("GET", of + "_history", [.. which.DistinctBy(w => w.Split('=')[0]), .. page]);

    // By instants that are known, or long ago, or to come.
    private Gen<string> Narrowed =>
        from name in Gen.Elements("_since", "_at")
        from version in mirrored.Count == 0 ? Gen.Constant("w0.none.v1") : Gen.Elements<string>(mirrored)
        from other in Gen.Elements("2001-01-01T00:00:00Z", "2199-01-01T00:00:00.5Z")
        from known in Gen.Choose(0, 4)
        select known == 0 ? $"{name}={other}" : $"{name}=¤{version}¤";

    private Gen<Ask> OfPatient =>
        from patient in Patient
        from type in Gen.Elements(Types)
        from parameters in Parameters(type)
        from count in Gen.Choose(1, 4)
        from viewer in Gen.Elements("Organization/§insurer§", "Practitioner/§doctor§")
        from record in Record
        from what in Gen.Choose(0, 6)
        select what switch
        {
            0 => new Ask("GET", $"Patient/§{patient}§/$everything"),
            6 => new Ask("GET", $"Patient/§{patient}§/$retention"),
            1 => new Ask("GET", $"Patient/§{patient}§/$everything", $"_count={count}"),
            2 => new Ask(
                "GET", $"Patient/§{patient}§/$consent-explain", $"viewer={viewer}", "purpose=HPAYMT",
                $"resource={record.Type}/§{record.Name}§"),
            3 => new Ask("POST", $"Patient/§{patient}§/$break-glass"),
            _ => new Ask("GET", $"Patient/§{patient}§/{type}", parameters),
        };

    // In a Bundle all is compared as it stands: no proof, which is one of its batch, and no order of ids, which are random.
    private Gen<Ask> Entry => Gen.OneOf(OneRecord, Search, Histories, OfPatient)
        .Where(a => a.Form is null && !a.IsInOrderOfIds && !a.IsHistoryOfBinaries)
        .Where(a => !a.Path.EndsWith("$anchor-proof", StringComparison.Ordinal));

    private Gen<Ask> Bundled =>
        from entries in Gen.Choose(1, 4).SelectMany(n => Gen.ArrayOf(Entry, n))
        from type in Gen.Elements("batch", "transaction")
        from last in Gen.Frequency((3, Gen.Constant<Ask?>(null)), (1, Unmade.Select(a => (Ask?)a)))
        select new Ask("POST", "")
        {
            Entries = [.. entries.Select(e => e with { Method = "GET", Headers = [] }), .. last is null ? (Ask[])[] : [last]],
            BundleType = type,
        };

    // Writes as questions: whether there is what they name, and at which version.
    private Gen<Ask> Question =>
        from record in Record.Where(r => r.Type != "Binary")
        from patient in Patient
        from key in Gen.Choose(0, 4)
        from parameters in Criteria("Observation")
        from what in Gen.Choose(0, 4)
        from method in Gen.Elements("PUT", "PATCH", "DELETE")
        select what < 3
            ? Create(patient, what == 0 ? $"identifier={Story.Identifiers}|k{key}" : string.Join('&', parameters.DefaultIfEmpty("code=x")))
            : Change(method, record);

    // Writes of what criteria match: whether there is nothing, one or several. An update is made where there is nothing, and only there.
    private Gen<Ask> ByCriteria => Gen.Frequency((1, Unmade), (1, Update));

    private Gen<Ask> Update =>
        from patient in Patient
        from criteria in Criteria("Observation")
        from id in Gen.Frequency((4, Gen.Constant("")), (1, Gen.Constant("\"id\":\"§nobody§\",")))
        let create = Create(patient, "")
        select create with
        {
            Method = "PUT",
            Query = criteria,
            Headers = [("If-None-Match", "*")],
            Body = "{" + id + create.Body!.TrimStart()[1..],
        };

    private Gen<Ask> Unmade =>
        from type in Gen.Elements(Types)
        from criteria in Criteria(type)
        from method in Gen.Elements("PUT", "PATCH", "DELETE")
        from isPatched in Gen.Elements(true, false)
        select new Ask(method, type, criteria)
        {
            // Of no version that there is, or by a patch of no kind that there is: nothing is changed.
            Headers = method == "PATCH" && isPatched ? [] : [("If-Match", "W/\"99\"")],
            Body = method switch
            {
                "PUT" => $$"""{"resourceType":"{{type}}"}""",
                "PATCH" => """
                    {"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"none"}]}]}
                    """,
                _ => null,
            },
        };

    private Ask Create(string patient, string condition)
    {
        var step = new Step($"made.{viewer}.{_made++}", "Observation", "", Verb.Create, $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"made"},"subject":{"reference":"Patient/§{{{patient}}}§"}}
            """)
        { Subject = patient };
        return new Ask("POST", "Observation") { Headers = [("If-None-Exist", condition)], Body = step.Body, Makes = step };
    }

    // Of no version that there is: nothing is changed.
    private static Ask Change(string method, (string Name, string Type) record) => new(method, $"{record.Type}/§{record.Name}§")
    {
        Headers = [("If-Match", "W/\"99\"")],
        Body = method switch
        {
            "PUT" => $$$"""{"resourceType":"{{{record.Type}}}","id":"§{{{record.Name}}}§"}""",
            "PATCH" => """{"resourceType":"Parameters"}""",
            _ => null,
        },
    };

    // One that says how a search is answered is refused, and one that names nothing that few have.
    private Gen<string[]> Criteria(string type) =>
        from all in Parameters(type)
        from few in type is "Patient" or "Binary" ? Ids : Gen.OneOf(Ids, About("patient"))
        from isLeft in Gen.Choose(0, 9)
        select isLeft == 0 ? all
            : all.Where(p => p.Split('=')[0] is "_lastUpdated" or "_security" || p[0] != '_').Append(few).ToArray();

    // References of what is found go along page by page, and pages in the order of ids are compared as one.
    private Gen<string[]> Parameters(string type) =>
        from count in Gen.Choose(0, 3)
        from all in Gen.ArrayOf(Parameter(type), count)
        let isSortedByIds = all.Any(p => p.StartsWith("_sort", StringComparison.Ordinal))
        select all.Where(p => !isSortedByIds || !p.Contains("include=", StringComparison.Ordinal))
            .DistinctBy(p => p.StartsWith('_') ? p.Split('=')[0] : p).ToArray();

    private Gen<string> Parameter(string type)
    {
        var of = type switch
        {
            "Patient" => Gen.OneOf(Identifier, Has, OfPerson),
            "Binary" => Gen.OneOf(Ids),
            "Consent" => Gen.OneOf(About("patient"), Status, Date("date"), Category),
            "Condition" => Gen.OneOf(About("patient"), About("subject"), Identifier, Code("code"), Category),
            "Task" => Gen.OneOf(
                About("patient"), About("subject"), Gen.Elements("status=requested", "priority=routine", "code=supply-request"),
                Date("authored-on")),
            "Observation" => Gen.OneOf(
                About("patient"), About("subject"), Identifier, Code("code"), Category, Status, Date("date"), Measured, Measured),
            _ => Gen.OneOf(About("patient"), About("subject"), Identifier, Code("type"), Category, Status, Date("date"), OfDocument),
        };
        return Gen.Frequency((6, of), (5, General(type)), (2, type == "Patient" ? Has : Linked(type)));
    }

    private Gen<string> OfPerson => Gen.OneOf(
        Patient.Select(p => "family=" + p), Patient.Select(p => "name:exact=" + p),
        Gen.Elements("name=w", "given=ASHA", "given=b", "family:missing=true", "gender=female", "gender:not=female"),
        from prefix in Gen.Elements("", "gt", "ge", "lt", "le", "ne", "sa", "eb", "ap")
        from date in Gen.Elements("1980", "1980-05", "1980-05-03", "1985", "1990-07-02")
        select $"birthdate={prefix}{date}");

    private static Gen<string> Measured => Gen.OneOf(
        from prefix in Gen.Elements("", "gt", "ge", "lt", "le", "ne", "sa", "eb", "ap")
        from parameter in Gen.Elements("value-quantity", "combo-value-quantity", "component-value-quantity")
        from number in Gen.Choose(1, 4)
        from unit in Gen.Elements("", "|http://unitsofmeasure.org|mg", "|http://unitsofmeasure.org|kg", "||g")
        select $"{parameter}={prefix}{number}{unit}",
        from parameter in Gen.Elements("code-value-quantity", "component-code-value-quantity", "combo-code-value-quantity")
        from code in Gen.Elements(Codes)
        from number in Gen.Choose(1, 4)
        select $"{parameter}={code}${number}",
        Code("combo-code"), Code("component-code:not"),
        Gen.Elements("value-string=0", "value-string:missing=false", "combo-code:missing=true"));

    private static Gen<string> OfDocument => Gen.Elements(
        "description=0", "description:missing=true", "relation=appends", "relatesto:missing=false", "related:missing=true",
        "contenttype=text/plain", "author:missing=true", "event:missing=true");

    // What another record is that this one is tied to.
    private Gen<string> Has =>
        from referring in Gen.Elements("Observation", "Condition", "DocumentReference")
        let code = referring == "DocumentReference" ? "type" : "code"
        from reference in Gen.Elements("patient", "subject")
        from asked in Gen.OneOf(
            Code(code), Category.Select(c => c.Replace("category=", "category:not=", StringComparison.Ordinal)), Status, Identifier, Ids,
            Gen.Elements($"{code}:missing=false", "category:missing=true", "_security=R"))
        select $"_has:{referring}:{reference}:{asked}";

    private Gen<string> Linked(string type) => type == "Binary" ? Ids : Gen.OneOf(
        Identifier.Select(i => "patient." + i), OfPerson.Select(i => "patient." + i), Ids.Select(i => "patient." + i),
        Has.Select(h => "patient." + h),
        Gen.Elements("patient:missing=true", "patient:missing=false", "status:not=final", "category:missing=true"),
        Gen.Elements("_include=*", "_include:iterate=*", "_revinclude:iterate=Observation:subject"));

    private Gen<string> General(string type) => Gen.OneOf(
        Ids, Gen.Choose(1, 5).Select(n => $"_count={n}"), Gen.Elements("_summary=count", "_count=0", "_total=accurate", "_total=none"),
        Gen.Elements("_elements=id", "_summary=true", "_summary=data"),
        Gen.Elements("_sort=_id", "_sort=-_lastUpdated", "_sort=_lastUpdated", "_sort=identifier,-_lastUpdated", Sort(type)),
        Gen.Elements(
            $"_include={type}:patient", $"_include={type}:subject", "_security=R", "_security=PSY",
            "_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|N,V"),
        Gen.Elements(
            "_revinclude=Observation:patient", "_revinclude=DocumentReference:subject", "_revinclude=Condition:patient:Patient"),
        Date("_lastUpdated"),
        mirrored.Count == 0
            ? Gen.Constant("_lastUpdated=ge2026")
            : from prefix in Gen.Elements("gt", "ge", "lt", "le", "ne", "eq")
              from version in Gen.Elements<string>(mirrored)
              select $"_lastUpdated={prefix}¤{version}¤");

    private static string Sort(string type) => type switch
    {
        "Patient" or "Binary" => "_sort=-_id",
        "Condition" => "_sort=-code",
        "Task" => "_sort=-authored-on",
        "DocumentReference" => "_sort=type,-date",
        _ => "_sort=-date",
    };

    private Gen<string> Ids => Gen.Choose(1, 3).SelectMany(n => Gen.ArrayOf(Gen.Elements<(string Name, string Type)>(records), n))
        .Select(r => "_id=" + string.Join(',', r.Select(x => $"§{x.Name}§")));

    private Gen<string> About(string parameter) =>
        from patient in Patient
        from other in Patient
        from form in Gen.Choose(0, 4)
        select form switch
        {
            0 => $"{parameter}=§{patient}§",
            1 => $"{parameter}:Patient=§{patient}§",
            2 => $"{parameter}=Patient/§{patient}§,Patient/§{other}§",
            _ => $"{parameter}=Patient/§{patient}§",
        };

    private Gen<string> Identifier =>
        from key in Gen.Choose(0, 4)
        from patient in Patient
        from form in Gen.Choose(0, 3)
        select form switch
        {
            0 => $"identifier={Story.Identifiers}|k{key}",
            1 => $"identifier=k{key}",
            2 => $"identifier={Story.Identifiers}|",
            _ => $"identifier=urn:mrn|{patient}",
        };

    private static Gen<string> Code(string parameter) =>
        from code in Gen.Elements(Codes)
        from form in Gen.Elements("", "http://loinc.org|")
        select $"{parameter}={form}{code}";

    private static Gen<string> Category => Code("category");

    private static Gen<string> Status => Gen.Elements("final", "current", "superseded", "preliminary", "active", "inactive")
        .Select(s => "status=" + s);

    private static Gen<string> Date(string parameter) =>
        from prefix in Gen.Elements("", "gt", "ge", "lt", "le", "ne")
        from day in Gen.Elements("2026", "2026-01", "2026-01-03", "2026-01-05", "2026-01-05T03:04:05Z")
        select $"{parameter}={prefix}{day}";
}
