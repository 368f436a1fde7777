using System.Text;

namespace PmrGateway.Tests.Scenarios.NonInterference;

/// <summary>
/// What is written into one random world: two patients of two hospitals, records that come, change and go, consents that are given, changed
/// and revoked, in one random order. It is made before anything is written: what a gateway refuses is left out of the world.
/// </summary>
internal sealed class Story(Dice dice, int number)
{
    public const string Identifiers = "urn:world";
    private const string Secrecy = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    private const string ActCode = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    private const string Loinc = "http://loinc.org";
    private static readonly string[] Codes = ["34133-9", "11488-4", "8716-3"];
    private static readonly string[] Types =
        ["DocumentReference", "DocumentReference", "Observation", "Observation", "Condition", "Bundle"];

    private readonly Dictionary<string, (string Type, string Author, string Subject, int Versions)> _records = [];
    private readonly int[] _places = [0, 1, 2, 3, 4, 5, 6];
    private readonly List<string> _consents = [];
    private int _requests;
    private readonly Dictionary<string, string> _attachments = [];
    private readonly HashSet<string> _shared = [];
    private readonly Queue<Step> _relinked = new();

    private string P => $"w{number}.p";

    private string Q => $"w{number}.q";

    /// <summary>What both gateways begin with: the patients, and that each hospital may write of the other's.</summary>
    public IEnumerable<Step> Floor()
    {
        yield return Patient(P, "ehr", "");
        yield return Patient(Q, "other", "");
        yield return Collects(P, "other");
        yield return Collects(Q, "hospital");
    }

    /// <summary>The rest, one step after the other.</summary>
    public IEnumerable<Step> Steps(int count)
    {
        // Something is permitted in most worlds, or nobody would be shown anything.
        foreach (var actor in new[] { "insurer", "other", "hospital" })
        {
            if (Chance(4, 5)) yield return Consent(P, [actor], permits: true, isWide: true);
            if (Chance(1, 2)) yield return Consent(Q, [actor], permits: true, isWide: true);
        }
        foreach (var step in Relinkings()) _relinked.Enqueue(step);
        for (var i = 0; i < count; i++)
        {
            if (_relinked.Count > 0 && Chance(2, 3)) yield return _relinked.Dequeue();
            var what = dice.Next(10);
            if (what < 7) yield return Record();
            else if (what == 7 && _consents.Count > 0) yield return EndConsent();
            else if (what == 8 && Chance(1, 3)) yield return Relabelled();
            else if (what == 8 && Chance(1, 2)) yield return Request();
            else yield return Consent(Pick(P, P, Q), [Pick("insurer", "other", "doctor", "hospital")], Chance(2, 3), isWide: false);
        }
        while (_relinked.Count > 0) yield return _relinked.Dequeue();
    }

    /// <summary>A Consent by its patient; <paramref name="provision"/> is what its outer provision holds.</summary>
    public static string ConsentBody(string patient, string provision, string status = "active", string source = "") => $$$"""
        {"resourceType":"Consent","status":"{{{status}}}",
        "scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
        "category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/§{{{patient}}}§"},
        "dateTime":"2026-01-01",{{{source}}}"policy":[{"uri":"https://profiles.ihe.net/ITI/PCF/Policy-deny"}],
        "provision":{{{provision}}} }
        """;

    /// <summary>A patient; <paramref name="more"/> is what its Patient holds besides, with its comma behind it.</summary>
    public static string PatientBody(string name, string more) => $$$"""
        {"resourceType":"Patient",{{{more}}}"identifier":[{"system":"urn:mrn","value":"{{{name}}}"}],
        "name":[{"family":"{{{name}}}","given":["Asha"]}],"gender":"{{{(name[^1] == 'p' ? "female" : "male")}}}",
        "birthDate":"{{{(name[^1] == 'p' ? "1980-05-03" : "1990-07")}}}"}
        """;

    private static Step Patient(string name, string author, string more) =>
        new(name, "Patient", author, Verb.Create, PatientBody(name, more)) { Subject = name };

    private Step Collects(string patient, string actor)
    {
        var provision = $$$"""{"type":"permit",{{{Actor(actor)}}},"action":[{"coding":[{"code":"collect"}]}]}""";
        return new Step($"{patient}.floor", "Consent", patient, Verb.Create, ConsentBody(patient, provision)) { Subject = patient };
    }

    private Step Relabelled()
    {
        var (patient, author) = Chance(1, 2) ? (P, "ehr") : (Q, "other");
        return new Step(patient, "Patient", author, Verb.Update, PatientBody(patient, Meta())) { Subject = patient };
    }

    // What a patient puts before the office of a hospital, which its systems see and its doctors do not.
    private Step Request()
    {
        var patient = Pick(P, P, Q);
        return new Step($"{patient}.t{_requests++}", "Task", patient, Verb.Create, $$$"""
            {"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/§{{{patient}}}§"},
            "code":{"coding":[{"system":"https://pmrgateway.example/fhir/CodeSystem/pmr-task",
            "code":"{{{Pick("supply-request", "correction-request")}}}"}]},"description":"{{{Text()}}}"}
            """)
        { Subject = patient };
    }

    private Step Record()
    {
        var place = dice.Next(_places.Length);
        var name = $"w{number}.r{_places[place]}";
        if (!_records.TryGetValue(name, out var held))
        {
            held = (Pick(Types), Pick("ehr", "lab", "lab", "other"), Pick(P, P, P, Q), 0);
        }
        else if (Chance(1, 5) && !_shared.Contains(name))
        {
            _records.Remove(name);
            _attachments.Remove(name);
            _places[place] = _places.Max() + 1;
            var type = held.Type == "Bundle" ? "DocumentReference" : held.Type;
            return new Step(name, type, Writer(held.Author), Verb.Delete, "") { Subject = held.Subject };
        }
        _records[name] = held with { Versions = held.Versions + 1 };
        var (isNew, author) = (held.Versions == 0, held.Versions == 0 ? held.Author : Writer(held.Author));
        var body = held.Type switch
        {
            "Bundle" when isNew => Document(held.Subject),
            "Bundle" => DocumentReference(held.Subject, Link($"{name}v1a0")),
            "DocumentReference" => DocumentReference(held.Subject, Attachments(name, held.Versions + 1)),
            "Observation" => Observation(held.Subject),
            _ => Condition(held.Subject),
        };
        return new Step(name, held.Type == "Bundle" ? "DocumentReference" : held.Type, author, isNew ? Verb.Create : Verb.Update, body)
        {
            Endpoint = held.Type,
            Subject = held.Subject,
        };
    }

    // A record is changed by the systems of the hospital that keeps it.
    private string Writer(string first) => first == "other" ? "other" : Pick("ehr", "lab");

    private string DocumentReference(string subject, string content) => $$$"""
        {"resourceType":"DocumentReference",{{{Meta()}}}{{{Contained(out var copy)}}}"status":"{{{Pick("current", "superseded")}}}",
        {{{Identifier()}}}"type":{{{Code()}}},"category":[{{{Code()}}}],"subject":{"reference":"Patient/§{{{subject}}}§"},
        {{{Optional("author", $"[{Ref(Pick("Organization/§hospital§", "Practitioner/§doctor§"))}]")}}}
        {{{(Day() is { } day ? $"\"date\":\"{day}T03:04:05Z\"," : "")}}}"description":"{{{Text()}}}",
        {{{(Other() is { } o ? $$$"""
            "relatesTo":[{"code":"appends","target":{{{Ref(o)}}}}],
            """ : "")}}}
        {{{(copy.Length > 0 ? $$$"""
            "context":{"related":[{{{copy}}}]},
            """ : "")}}}
        "content":[{{{content}}}]}
        """;

    private string Observation(string subject) => $$$"""
        {"resourceType":"Observation",{{{Meta()}}}{{{Contained(out var copy)}}}"status":"{{{Pick("final", "preliminary")}}}",
        {{{Identifier()}}}"code":{{{Code()}}},"category":[{{{Code()}}}],"subject":{"reference":"Patient/§{{{subject}}}§"},
        {{{Optional("performer", $"[{Ref(Pick("Organization/§other§", "Practitioner/§doctor§"))}]")}}}
        {{{(Day() is { } day ? $"\"effectiveDateTime\":\"{day}\"," : "")}}}
        {{{(Other() is { } o ? $"\"{Pick("hasMember", "derivedFrom")}\":[{Ref(o)}]," : "")}}}
        {{{(copy.Length > 0 ? $"\"focus\":[{copy}]," : "")}}}{{{Component()}}}{{{Value()}}}}
        """;

    private string Value() => Chance(1, 2) ? $"\"valueString\":\"{Text()}\"" : $"\"valueQuantity\":{Quantity()}";

    private string Component() => Chance(1, 2) ? "" : $"\"component\":[{{\"code\":{Code()},\"valueQuantity\":{Quantity()}}}],";

    private string Quantity() => $$$"""
        {"value":{{{dice.Next(1, 5)}}},"system":"http://unitsofmeasure.org","code":"{{{Pick("mg", "g")}}}"}
        """;

    private string Condition(string subject) => $$$"""
        {"resourceType":"Condition",{{{Meta()}}}{{{Contained(out var copy)}}}{{{Identifier()}}}"code":{{{Code()}}},
        "clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},
        "category":[{{{Code()}}}],"subject":{"reference":"Patient/§{{{subject}}}§"},
        {{{(Day() is { } day ? $"\"onsetDateTime\":\"{day}\"," : "")}}}
        {{{(copy.Length > 0 || Other() is not null ? $$$"""
            "evidence":[{"detail":[{{{(copy.Length > 0 ? copy : Ref(Other() ?? "Organization/§other§"))}}}]}],
            """ : "")}}}
        "note":[{"text":"{{{Text()}}}"}]}
        """;

    // It has no ids of a gateway: its bytes are kept as they are.
    private string Document(string subject)
    {
        const string Urn = "urn:uuid:7fbd8b2e-0000-4000-8000-00000000000";
        return $$$"""
            {"resourceType":"Bundle","type":"document","identifier":{"system":"{{{Identifiers}}}","value":"k{{{dice.Next(4)}}}"},
            "timestamp":"2026-01-01T00:00:00Z","entry":[
            {"fullUrl":"{{{Urn}}}a","resource":{"resourceType":"Composition","status":"final","type":{{{Code()}}},
            {{{Optional("confidentiality", $"\"{Pick("N", "R", "V")}\"")}}}"author":[{"display":"x"}],"title":"{{{Text()}}}",
            "subject":{"reference":"{{{Urn}}}b"},"date":"{{{Day() ?? "2026-01-05"}}}T00:00:00Z"} },
            {"fullUrl":"{{{Urn}}}b","resource":{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"{{{subject}}}"}]} },
            {"fullUrl":"{{{Urn}}}c","resource":{"resourceType":"Observation",{{{Meta()}}}"status":"final","code":{{{Code()}}},
            "subject":{"reference":"{{{Urn}}}b"} } }]}
            """;
    }

    // Records that are alike but for their Binaries: these are linked to, let go of, moved to and ended with. Whoever sees one sees all, so
    // that in the second gateway, too, each Binary lives as long as something links to it; no consent names one of them.
    private IEnumerable<Step> Relinkings()
    {
        const string Place = "§content§";
        var (author, subject) = (Pick("ehr", "lab", "other"), Pick(P, P, Q));
        var alike = DocumentReference(subject, Place);
        var (first, second) = (Name(0), Name(1));
        var (a, b) = ($"{first}v1a0", $"{second}v1a0");
        yield return Alike(0, Verb.Create, Data());
        yield return Alike(1, Verb.Create, Data());
        yield return Alike(2, Verb.Create, Link(a));
        Step[] changes =
        [
            // From one that there is to another that there is; one of two, or the last, lets go; a record that is linked to ends.
            Alike(2, Verb.Update, Link(b)), Alike(0, Verb.Update, Chance(1, 2) ? Link(b) : """{"attachment":{"title":"none"}}"""),
            Alike(1, Verb.Delete, ""), Alike(3, Verb.Create, Chance(1, 2) ? Link(a) : Link(b)),
        ];
        foreach (var at in changes.Select((change, i) => (Change: change, Roll: dice.Next(1000), i)).OrderBy(c => (c.Roll, c.i)))
            if (Chance(4, 5)) yield return at.Change;

        string Name(int of) => $"w{number}.x{of}";

        string Data() => $$$"""
            {"attachment":{"contentType":"text/plain","data":"{{{Convert.ToBase64String(Encoding.UTF8.GetBytes(Text()))}}}"}}
            """;

        Step Alike(int of, Verb verb, string content) => new(
            Name(of), "DocumentReference", author, verb,
            verb == Verb.Delete ? "" : alike.Replace(Place, content, StringComparison.Ordinal))
        { Subject = subject };
    }

    // A Binary that is shared stays so: while one record links to it, it lives on after another has let go of it. That tells of the first
    // to who sees the second, and is what sharing is.
    private string Attachments(string name, int version)
    {
        if (_shared.Contains(name)) return Link(_attachments[name]);
        if (version == 1 && _attachments.Count > 0 && Chance(2, 5))
        {
            var (of, binary) = _attachments.ElementAt(dice.Next(_attachments.Count));
            _shared.UnionWith([of, name]);
            return Link(_attachments[name] = binary);
        }
        _attachments[name] = $"{name}v{version}a0";
        var data = Convert.ToBase64String(Encoding.UTF8.GetBytes($"content {Text()}"));
        return $$$"""{"attachment":{"contentType":"text/plain","data":"{{{data}}}"}}""";
    }

    private static string Link(string binary) => $$$"""{"attachment":{"url":"Binary/§{{{binary}}}§"}}""";

    private string Meta()
    {
        if (Chance(1, 2)) return "";
        var (system, code) = Pick((Secrecy, "N"), (Secrecy, "R"), (Secrecy, "V"), (ActCode, "PSY"), (ActCode, "ETH"));
        return $$$"""
            "meta":{"security":[{{{Coding(system, code)}}}]},
            """;
    }

    // A copy of the other patient, or of a finding, or the other patient's own Patient.
    private string Contained(out string reference)
    {
        reference = "";
        if (Chance(2, 3)) return "";
        if (Chance(1, 3))
        {
            reference = Ref($"Patient/§{Pick(P, Q)}§");
            return "";
        }
        reference = Ref("#c");
        var copy = Chance(1, 2)
            ? $$$"""{"resourceType":"Patient","id":"c","identifier":[{"system":"urn:mrn","value":"{{{Pick(P, Q)}}}"}]}"""
            : $$$"""{"resourceType":"Observation","id":"c","status":"final","code":{{{Code()}}}}""";
        return $"\"contained\":[{copy}],";
    }

    private string? Other()
    {
        if (_records.Count == 0 || Chance(2, 3)) return null;
        var (name, record) = _records.ElementAt(dice.Next(_records.Count));
        return $"{(record.Type == "Bundle" ? "DocumentReference" : record.Type)}/§{name}§";
    }

    private Step EndConsent()
    {
        var name = Pick([.. _consents]);
        var patient = name[..name.LastIndexOf('.')];
        if (Chance(1, 2)) return new Step(name, "Consent", patient, Verb.Delete, "") { Subject = patient };
        var (status, provision) = Chance(1, 2) ? ("inactive", Provision(true, ["insurer"], false)) : ("active", Whole(Chance(1, 2)));
        return new Step(name, "Consent", patient, Verb.Update, ConsentBody(patient, provision, status)) { Subject = patient };

        string Whole(bool permits) => Provision(permits, [Pick("insurer", "other", "doctor", "hospital")], false);
    }

    private Step Consent(string patient, string[] actors, bool permits, bool isWide)
    {
        var name = $"{patient}.c{_consents.Count}";
        _consents.Add(name);
        var form = Convert.ToBase64String(Encoding.UTF8.GetBytes(Text()));
        var source = Chance(1, 5) ? $"\"sourceAttachment\":{{\"contentType\":\"text/plain\",\"data\":\"{form}\"}}," : "";
        var body = ConsentBody(patient, Provision(permits, actors, isWide), "active", source);
        return new Step(name, "Consent", patient, Verb.Create, body) { Subject = patient };
    }

    private string Provision(bool permits, string[] actors, bool isWide)
    {
        // A permit names whom it is for; a denial may be of everybody.
        var type = permits ? "permit" : "deny";
        var members = new List<string> { $"\"type\":\"{type}\"" };
        if (permits || Chance(2, 3)) members.Add(Actor(actors));
        if (!isWide) members.AddRange(Restrictions(isRoot: true));
        else if (Chance(1, 2)) members.Add(Restriction("purpose"));
        if (Chance(1, 2))
        {
            var inner = string.Join(',', Restrictions(isRoot: false).Prepend(Restriction(Pick("class", "code", "securityLabel"))));
            members.Add($$$"""
                "provision":[{"type":"{{{(permits ? "deny" : "permit")}}}",{{{(permits ? "" : Actor(actors) + ",")}}}{{{inner}}}}]
                """);
        }
        return $"{{{string.Join(',', members.DistinctBy(m => m.Split(':')[0]))}}}";
    }

    private IEnumerable<string> Restrictions(bool isRoot)
    {
        foreach (var name in new[] { "purpose", "class", "code", "securityLabel", "dataPeriod", "data", "action" })
            if (Chance(1, 5)) yield return Restriction(name);
        if (isRoot && Chance(1, 3)) yield return Restriction("period");
    }

    private string Restriction(string name) => $"\"{name}\":" + name switch
    {
        "purpose" => $"[{Coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", Pick("HPAYMT", "TREAT", "PATRQT"))}]",
        "class" => Chance(1, 2)
            ? $"[{Coding("http://hl7.org/fhir/resource-types", Pick("Observation", "DocumentReference", "Patient", "Condition"))}]"
            : $"[{Coding(Loinc, Pick(Codes))}]",
        "code" => $"[{Code()}]",
        "securityLabel" => $"[{Pick(Coding(Secrecy, "N"), Coding(Secrecy, "R"), Coding(ActCode, "PSY"), Coding(ActCode, "ETH"))}]",
        "dataPeriod" => $$$"""{"start":"2026-01-0{{{dice.Next(1, 4)}}}","end":"2026-01-0{{{dice.Next(4, 9)}}}"}""",
        "data" => $$$"""
            [{"meaning":"{{{(Chance(1, 2) ? "instance" : "dependents")}}}","reference":{{{Ref(Other() ?? $"Patient/§{P}§")}}}}]
            """,
        "action" => $$$"""[{"coding":[{"code":"{{{Pick("access", "use", "collect")}}}"}]}]""",
        _ => Pick("""{"end":"2026-01-01"}""", """{"start":"2026-01-01"}""", """{"start":"2199-01-01"}""", """{"end":"2199-01-01"}"""),
    };

    private static string Actor(params string[] actors) => "\"actor\":[" + string.Join(',', actors.Select(a => $$$"""
        {"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},
        "reference":{{{Ref($"{(a == "doctor" ? "Practitioner" : "Organization")}/§{a}§")}}}}
        """)) + "]";

    private static string Ref(string to) => $"{{\"reference\":\"{to}\"}}";

    private static string Coding(string system, string code) => $"{{\"system\":\"{system}\",\"code\":\"{code}\"}}";

    private string Code() => $"{{\"coding\":[{Coding(Loinc, Pick(Codes))}]}}";

    private string Identifier() =>
        Chance(1, 3) ? "" : $"\"identifier\":[{{\"system\":\"{Identifiers}\",\"value\":\"k{dice.Next(4)}\"}}],";

    private string Optional(string name, string value) => Chance(1, 2) ? "" : $"\"{name}\":{value},";

    private string? Day() => Chance(1, 4) ? null : $"2026-01-0{dice.Next(1, 9)}";

    private string Text() => $"{number}-{dice.Next(int.MaxValue):x8}";

    private bool Chance(int of, int outOf) => dice.Chance(of, outOf);

    private T Pick<T>(params T[] from) => dice.Pick(from);
}
