using System.Security.Cryptography;
using System.Text;
using PmrGateway.Tests.Client;

namespace PmrGateway.Bench.Rest;

/// <summary>The resources of the bench: of nobody, and of the size that hospitals send.</summary>
internal static class Records
{
    public const string DocumentSystem = "https://bench.example/document";
    private static readonly string[] Families = ["Okafor", "Haddad", "Lindqvist", "Moreau", "Nakamura", "Petrov", "Silva", "Tamm"];

    /// <summary>A Patient of 2 KB.</summary>
    /// <param name="number">Its identifier, unique.</param>
    /// <param name="i">Which patient.</param>
    public static string Patient(string number, int i)
    {
        var family = Families[i % Families.Length];
        return $$$"""
            {"resourceType":"Patient","text":{"status":"generated",
            "div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>{{{family}}}, patient {{{i}}} of the bench, who is nobody.</p></div>"},
            "extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
            "valueAddress":{"city":"Harbourtown","state":"Example State","country":"EX"}},
            {"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Sample {{{family}}}"},
            {"url":"http://hl7.org/fhir/StructureDefinition/patient-nationality",
            "extension":[{"url":"code","valueCodeableConcept":{"text":"Example"}}]}],
            "identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR",
            "display":"Medical record number"}],"text":"Medical record number"},
            "system":"https://bench.example/mrn","value":"{{{number}}}"},
            {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"SB",
            "display":"Social Beneficiary Identifier"}],"text":"Insurance number"},"system":"https://bench.example/insurance",
            "value":"I-{{{number}}}"},{"use":"secondary","system":"https://bench.example/registry","value":"R-{{{i}}}"}],
            "active":true,"name":[{"use":"official","family":"{{{family}}}","given":["Ngozi","Bench{{{i}}}"],"prefix":["Mx"]},
            {"use":"nickname","given":["N{{{i}}}"]}],"telecom":[{"system":"phone","value":"+00 555 010 {{{i % 10_000:D4}}}","use":"home"},
            {"system":"email","value":"patient{{{i}}}@bench.example","use":"work"}],"gender":"{{{(i % 2 == 0 ? "female" : "male")}}}",
            "birthDate":"19{{{30 + (i % 60)}}}-0{{{1 + (i % 9)}}}-1{{{i % 10}}}","address":[{"use":"home","type":"physical",
            "line":["{{{1 + (i % 300)}}} Quay Street","Door {{{i % 40}}}"],"city":"Harbourtown","state":"Example State",
            "postalCode":"{{{10_000 + i}}}","country":"EX"}],"maritalStatus":{"coding":[
            {"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M","display":"Married"}],"text":"Married"},
            "communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"en","display":"English"}],"text":"English"},
            "preferred":true}],"contact":[{"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0131",
            "code":"N","display":"Next-of-Kin"}]}],"name":{"family":"{{{family}}}","given":["Contact"]}}]}
            """;
    }

    /// <summary>A DocumentReference of 1 KB with an attachment inside.</summary>
    /// <param name="number">Its identifier, unique.</param>
    /// <param name="patient">Reference of its patient.</param>
    /// <param name="attachment">The attachment's base64.</param>
    public static string Document(string number, string patient, string attachment) => Document(number, patient, "data", attachment);

    /// <summary>A DocumentReference whose attachment lies elsewhere.</summary>
    public static string LinkedDocument(string number, string patient) =>
        Document(number, patient, "url", $"https://archive.example/{number}");

    /// <summary>Base64 of bytes that do not compress, the same ones for a size; it begins with <see cref="StampedBody.Mark"/>.</summary>
    public static string Attachment(int size)
    {
        var bytes = new byte[size];
        for (var at = 0; at < size; at += SHA256.HashSizeInBytes)
        {
            var block = SHA256.HashData(BitConverter.GetBytes(at));
            block.AsSpan(0, Math.Min(block.Length, size - at)).CopyTo(bytes.AsSpan(at));
        }
        return StampedBody.Mark + Convert.ToBase64String(bytes)[StampedBody.Mark.Length..];
    }

    /// <summary>A Consent: the patient lets an organisation read for payment.</summary>
    /// <param name="patient">Reference of the patient.</param>
    /// <param name="organization">Reference of the organisation.</param>
    /// <param name="code">The one code of record that it is about; null: all records.</param>
    public static string Consent(string patient, string organization, string? code = null)
    {
        var about = code is null ? "" : $",\"code\":[{{\"coding\":[{{\"system\":\"http://loinc.org\",\"code\":\"{code}\"}}]}}]";
        return ConsentText.Permit(patient, organization, more: about);
    }

    /// <summary>A Bundle of creates.</summary>
    /// <param name="type">transaction or batch.</param>
    /// <param name="entries">Type, JSON and, where another entry points to it, <c>urn:uuid:</c> URL of each.</param>
    public static string Bundle(string type, IEnumerable<(string Type, string Json, string? Url)> entries)
    {
        var bundle = new StringBuilder($"{{\"resourceType\":\"Bundle\",\"type\":\"{type}\",\"entry\":[");
        var separator = "";
        foreach (var (resourceType, json, url) in entries)
        {
            bundle.Append(separator).Append('{');
            if (url is not null) bundle.Append($"\"fullUrl\":\"{url}\",");
            bundle.Append("\"resource\":").Append(json).Append($",\"request\":{{\"method\":\"POST\",\"url\":\"{resourceType}\"}}}}");
            separator = ",";
        }
        return bundle.Append("]}").ToString();
    }

    private static string Document(string number, string patient, string where, string content) => $$$"""
        {"resourceType":"DocumentReference","identifier":[{"system":"{{{DocumentSystem}}}","value":"{{{number}}}"}],
        "status":"current","docStatus":"final",
        "type":{"coding":[{"system":"http://loinc.org","code":"34133-9","display":"Summary of episode note"}],"text":"Summary of episode"},
        "category":[{"coding":[{"system":"http://loinc.org","code":"11488-4","display":"Consult note"}],"text":"Consult note"}],
        "subject":{"reference":"{{{patient}}}"},"date":"2026-03-01T10:00:00Z","author":[{"display":"Dr Grace Example"}],
        "custodian":{"display":"General Hospital"},"description":"A note of the bench about nobody",
        "content":[{"attachment":{"contentType":"text/plain","language":"en","{{{where}}}":"{{{content}}}",
        "title":"note {{{number}}}","creation":"2026-03-01T10:00:00Z"},
        "format":{"system":"http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
        "code":"urn:ihe:iti:xds:2017:mimeTypeSufficient","display":"mimeType Sufficient"}}],
        "context":{"period":{"start":"2026-03-01T09:30:00Z","end":"2026-03-01T10:00:00Z"} } }
        """;
}
