using System.Text;

namespace PmrGateway.Tools.Attacks;

/// <summary>Binaries: what a browser would make of them, and whose they are.</summary>
internal static class Binaries
{
    [Plays("AT-067")]
    public static async Task Content_that_a_browser_would_run(Attempt a)
    {
        (string Type, string Content)[] contents =
        [
            ("application/pdf", "%PDF-1.4\n<html><script>alert(1)</script></html>"),
            ("text/html", "<html><script>alert(1)</script></html>"),
            ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
            ("text/html; charset=utf-7", "+ADw-script+AD4-alert(1)+ADw-/script+AD4-"),
        ];
        foreach (var (type, content) in contents)
        {
            var created = await a.Stage.Ehr.WriteAsync(HttpMethod.Post, "Binary", Encoding.ASCII.GetBytes(content), type);
            a.Status(created, $"a Binary of {type}", 201);
            if (created.Status != 201) continue;
            foreach (var accept in new[] { "*/*", type, "" })
            {
                var read = await a.Stage.Ehr.GetAsync($"Binary/{created.Id}", accept);
                string Header(string name) => read.Headers.Headers.TryGetValues(name, out var values)
                    || read.Headers.Content.Headers.TryGetValues(name, out values) ? string.Join(", ", values) : "";
                var sent = $"a Binary of {type}, Accept: {accept}";
                a.Status(read, sent, 200);
                a.Check(Header("X-Content-Type-Options") == "nosniff", sent, "nosniff", Header("X-Content-Type-Options"));
                a.Check(
                    Header("Content-Disposition").StartsWith("attachment", StringComparison.Ordinal),
                    sent, "Content-Disposition: attachment", Header("Content-Disposition"));
                a.Check(
                    Header("Content-Security-Policy").Contains("sandbox", StringComparison.Ordinal),
                    sent, "a policy with sandbox", Header("Content-Security-Policy"));
            }
            var other = type.StartsWith("text/html", StringComparison.Ordinal) ? "image/png" : "text/html";
            var refused = await a.Stage.Ehr.GetAsync($"Binary/{created.Id}", other);
            a.Check(
                refused.Status == 406 || refused.Headers.Content.Headers.ContentType?.MediaType == "application/fhir+json",
                $"a Binary of {type}, Accept: {other}", "406, or FHIR", refused);
        }
    }

    [Plays("AT-068")]
    public static async Task A_Binary_of_nobody(Attempt a)
    {
        var bytes = Encoding.ASCII.GetBytes("what nobody links to");
        var created = await a.Stage.Ehr.WriteAsync(HttpMethod.Post, "Binary", bytes, "text/plain");
        a.Status(created, "a Binary", 201);
        var unknown = await a.Stage.OtherEhr.GetAsync("Binary/no-such-binary", "*/*");
        foreach (var other in new[] { a.Stage.OtherEhr, a.Stage.Insurer })
        {
            var read = await other.GetAsync($"Binary/{created.Id}", "*/*");
            a.Refused(read, "a read of it by another client", 404);
            a.Check(read.Body.AsSpan().SequenceEqual(unknown.Body), "a read of it by another client", "the answer to an unknown id", read);
        }
        a.Status(await a.Stage.Ehr.GetAsync($"Binary/{created.Id}", "*/*"), "a read by its author", 200);

        // Under a patient's rules it is opened by that patient's consent, and by no other.
        var (patient, stranger) = (await a.Stage.NewPatientAsync(), await a.Stage.NewPatientAsync());
        await a.Stage.GrantAsync(patient, a.Stage.InsurerOrganization);
        foreach (var (whose, expected) in new[] { (patient, 200), (stranger, 404) })
        {
            var ruled = await a.Stage.Ehr.WriteAsync(
                HttpMethod.Post, "Binary", bytes, "text/plain", ("X-Security-Context", $"Patient/{whose}"));
            a.Status(ruled, "a Binary with X-Security-Context", 201);
            if (ruled.Status != 201) continue;
            a.Status(
                await a.Stage.Insurer.GetAsync($"Binary/{ruled.Id}", "*/*"),
                expected == 200 ? "a read by whom its patient consented to" : "a read without its patient's consent", expected);
        }
        a.Refused(
            await a.Stage.OtherEhr.WriteAsync(HttpMethod.Post, "Binary", bytes, "text/plain", ("X-Security-Context",
                $"Patient/{stranger}")),
            "a Binary under the rules of a patient of another hospital", 400, 403, 404, 422);
    }
}
