using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Api;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Tests.Scenarios;

/// <summary>
/// AuditEvents of every interaction have what IHE BALP's profiles ask for. The rules are said here in our own form; the conformance run
/// holds the same events against IHE's package. https://profiles.ihe.net/ITI/BALP
/// </summary>
[Collection(GatewayCollection.Name)]
public class BalpScenarios(RunningGateway gateway)
{
    private const string Prefix = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
    private const string Rest = "http://terminology.hl7.org/CodeSystem/audit-event-type|rest";
    private const string Dicom = "http://dicom.nema.org/resources/ontology/DCM|";
    private const string Type = "http://terminology.hl7.org/CodeSystem/audit-entity-type|";
    private const string Participation = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType|";
    private const string Token = "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes|UserOauthAgent";

    // What a profile for REST fixes: action, interactions, the codes of client, server and user, and what the main entity is.
    private static readonly Dictionary<string, Rule> Rules = new()
    {
        ["Read"] = new("R", ["read", "vread"], Dicom + "110152", Dicom + "110153", Participation + "IRCP"),
        ["Query"] = new("E", ["search-type"], Dicom + "110153", Dicom + "110152", Participation + "IRCP"),
        ["Create"] = new("C", ["create"], Dicom + "110153", Dicom + "110152", Participation + "AUT"),
        ["Update"] = new("U", ["update", "patch"], Dicom + "110153", Dicom + "110152", Participation + "AUT"),
        ["Delete"] = new(
            "D", ["delete"], Dicom + "110150", "http://terminology.hl7.org/CodeSystem/provenance-participant-type|custodian",
            Participation + "AUT"),
    };

    [Fact]
    public async Task AuditEvents_of_every_interaction_are_what_their_profiles_ask_for()
    {
        var (every, self) = await gateway.EveryInteractionAsync();
        foreach (var play in every.Plays()) await play.AskAsync();
        foreach (var play in every.Refused(gateway.OtherEhr)) await play.AskAsync();

        var log = await self.GetAsync("AuditEvent?_count=500");
        Assert.True(ResourceDocument.TryParse(log.Body, out var bundle, out _));
        var errors = new Validator(FhirSchema.R4).Validate(bundle!).Errors.Select(e => $"{e.Expression}: {e.Text}");
        Assert.True(!errors.Any(), string.Join('\n', errors));
        var events = RunningGateway.Entries(log).Select(e => e.GetProperty("resource")).ToList();
        Assert.Equal(log.Json.GetProperty("total").GetInt32(), events.Count);
        var claimed = new HashSet<string>();
        foreach (var e in events)
        {
            var profiles = Profiles(e);
            claimed.UnionWith(profiles);
            // Every one came with a token of the gateway's own, which has an id.
            Assert.Contains("OAUTHaccessTokenUse.Minimal", profiles);
            AssertToken(e);
            foreach (var profile in profiles.Except(["OAUTHaccessTokenUse.Minimal"]))
                if (profile == "AuthZconsent") AssertDecision(e, every.Patient, every.Consent);
                else AssertRest(e, profile, every.Patient);
            // What was refused is shown as it was asked; BALP's profiles are for what was done.
            if (e.GetProperty("outcome").GetString() == "4") Assert.Equal(["OAUTHaccessTokenUse.Minimal"], profiles);
        }
        Assert.Equal(
            [
                "AuthZconsent", "OAUTHaccessTokenUse.Minimal", "PatientCreate", "PatientDelete", "PatientQuery", "PatientRead",
                "PatientUpdate",
            ],
            claimed.Order(StringComparer.Ordinal));
        // What was searched is told by its names; its values name and describe persons.
        var queries = events.Select(Query).Where(q => q is not null).ToHashSet();
        Assert.Contains("Observation?patient=*&code=*&_count=5", queries);
        Assert.Contains("Observation?patient=*&identifier=*", queries);
        Assert.DoesNotContain("who-it-is", log.Text);
        Assert.DoesNotContain("8867-4", log.Text);
        // One event is read alone as it was found.
        foreach (var e in events.Take(30))
        {
            var alone = await self.GetAsync($"AuditEvent/{e.GetProperty("id").GetString()}");
            Assert.Equal(e.GetRawText(), alone.Json.GetRawText());
        }
    }

    [Theory]
    [InlineData("read", "R", "Read")]
    [InlineData("search-type", "E", "Query")]
    [InlineData("create", "C", "Create")]
    [InlineData("update", "U", "Update")]
    [InlineData("delete", "D", "Delete")]
    public void What_concerns_no_patient_claims_the_profile_without_one(string interaction, string action, string profile)
    {
        var entry = new AuditEntry(
            "x", DateTimeOffset.UnixEpoch, action, interaction, "permit", "Organization/a", "client", "Organization/a", ["TREAT"],
            ["Organization/a"], [], [], 1)
        {
            Address = "192.0.2.1",
            Token = "t",
            Query = interaction == "search-type" ? "Organization" : null,
        };
        var e = Render(entry);
        Assert.Equal([profile, "OAUTHaccessTokenUse.Minimal"], Profiles(e));
        AssertRest(e, profile, null);
        // Of an entry of before it is not known from where it came: it does not claim what it does not keep.
        Assert.Equal([], Profiles(Render(entry with { Address = null, Token = null })));
    }

    private static JsonElement Render(AuditEntry entry) => JsonDocument.Parse(FhirTyped.ToJson(
        new AuditEntryResource(new BaseUrl("https://gateway.example")).Of(
            new AuditEvidence(2, false, entry), new Dictionary<string, string>()))).RootElement;

    private static void AssertRest(JsonElement e, string profile, string? patient)
    {
        var rule = Rules[profile.Replace("Patient", "", StringComparison.Ordinal)];
        Assert.Equal((Rest, rule.Action, "0"), (Coding(e.GetProperty("type")), Text(e, "action"), Text(e, "outcome")));
        Assert.Contains(Text(Assert.Single(e.GetProperty("subtype").EnumerateArray()), "code"), rule.Interactions);
        var client = AssertAgent(e, rule.Client, isRequestor: false);
        Assert.NotEqual("", Text(client.GetProperty("network"), "address"));
        Assert.NotEqual("", Text(client.GetProperty("who").GetProperty("identifier"), "value"));
        Assert.NotEqual("", Text(AssertAgent(e, rule.Server, isRequestor: false).GetProperty("network"), "address"));
        Assert.False(AssertAgent(e, rule.User, isRequestor: true).TryGetProperty("network", out _));
        AssertPatient(e, patient);
        var main = Assert.Single(Entities(e, Type + "2"));
        if (profile.EndsWith("Query", StringComparison.Ordinal))
        {
            Assert.Equal("24", Text(main.GetProperty("role"), "code"));
            Assert.False(main.TryGetProperty("what", out _));
            Assert.NotNull(Query(e));
        }
        else
        {
            Assert.Equal("4", Text(main.GetProperty("role"), "code"));
            Assert.Contains('/', Text(main.GetProperty("what"), "reference"));
        }
    }

    private static void AssertDecision(JsonElement e, string patient, string consent)
    {
        Assert.Equal((Dicom + "110113", "E"), (Coding(e.GetProperty("type")), Text(e, "action")));
        Assert.Equal("AuthZ-Consent", Text(e.GetProperty("subtype")[0], "code"));
        Assert.NotEqual("", Text(AssertAgent(e, Dicom + "110150", false).GetProperty("network"), "address"));
        AssertAgent(e, Participation + "IRCP", true);
        AssertAgent(e, "http://terminology.hl7.org/CodeSystem/v3-RoleClass|PROV", false);
        var decider = AssertAgent(e, "http://terminology.hl7.org/CodeSystem/extra-security-role-type|authserver", false);
        Assert.Equal(e.GetProperty("source").GetProperty("observer").GetRawText(), decider.GetProperty("who").GetRawText());
        AssertPatient(e, patient);
        var under = Assert.Single(Entities(e, "http://hl7.org/fhir/resource-types|Consent")).GetProperty("what");
        Assert.Equal($"Consent/{consent}", Text(under, "reference"));
        Assert.Single(Entities(e, Token));
        // The profile lets in no other entity.
        Assert.Equal(3, e.GetProperty("entity").GetArrayLength());
    }

    private static void AssertToken(JsonElement e)
    {
        var user = AssertAgent(e, Token, isRequestor: true);
        Assert.StartsWith("urn:ietf:params:oauth:jti:", Assert.Single(user.GetProperty("policy").EnumerateArray()).GetString());
        Assert.Equal(user.GetRawText(), e.GetProperty("agent")[0].GetRawText());
    }

    private static void AssertPatient(JsonElement e, string? patient)
    {
        var entities = Entities(e, Type + "1");
        if (patient is null)
        {
            Assert.Empty(entities);
            return;
        }
        Assert.Equal("1", Text(Assert.Single(entities).GetProperty("role"), "code"));
        Assert.Equal($"Patient/{patient}", Text(entities[0].GetProperty("what"), "reference"));
    }

    private static JsonElement AssertAgent(JsonElement e, string type, bool isRequestor)
    {
        var agent = Assert.Single(
            e.GetProperty("agent").EnumerateArray(),
            a => a.GetProperty("type").GetProperty("coding").EnumerateArray().Any(c => Coding(c) == type));
        Assert.Equal(isRequestor, agent.GetProperty("requestor").GetBoolean());
        Assert.True(agent.TryGetProperty("who", out _));
        Assert.False(agent.TryGetProperty("media", out _));
        return agent;
    }

    private static List<JsonElement> Entities(JsonElement e, string type) => !e.TryGetProperty("entity", out var entities) ? []
        : [.. entities.EnumerateArray().Where(x => x.TryGetProperty("type", out var t) && Coding(t) == type)];

    private static string? Query(JsonElement e) => Entities(e, Type + "2").Where(x => x.TryGetProperty("query", out _))
        .Select(x => Encoding.UTF8.GetString(x.GetProperty("query").GetBytesFromBase64())).SingleOrDefault();

    private static List<string> Profiles(JsonElement e) => !e.TryGetProperty("meta", out var meta) ? []
        : [.. meta.GetProperty("profile").EnumerateArray().Select(p => p.GetString()!.Replace(Prefix, "", StringComparison.Ordinal))];

    private static string Coding(JsonElement coding) => $"{Text(coding, "system")}|{Text(coding, "code")}";

    private sealed record Rule(string Action, string[] Interactions, string Client, string Server, string User);

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
