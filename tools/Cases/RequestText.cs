using System.Net.Http.Headers;
using System.Text;

namespace PmrGateway.Tools.Cases;

/// <summary>An HTTP request as a case says it, with the server's ids.</summary>
/// <param name="Method">Method.</param>
/// <param name="Url">Relative to the FHIR base; or absolute.</param>
/// <param name="Headers">Headers.</param>
/// <param name="Body">Body; null: none.</param>
/// <param name="ContentType">Media type of the body.</param>
internal sealed record RequestText(
    string Method, string Url, IReadOnlyList<KeyValuePair<string, string>> Headers, string? Body, string ContentType)
{
    /// <summary>Whether the request itself says a text.</summary>
    public bool Says(string text) => Uri.UnescapeDataString(Url).Contains(text, StringComparison.Ordinal)
        || Body?.Contains(text, StringComparison.Ordinal) == true
        || Headers.Any(h => h.Value.Contains(text, StringComparison.Ordinal));

    /// <summary>The same request about another id.</summary>
    public RequestText About(string id, string other) => this with
    {
        Url = Url.Replace(id, other, StringComparison.Ordinal),
        Body = Body?.Replace(id, other, StringComparison.Ordinal),
    };

    /// <summary>The message to send.</summary>
    public HttpRequestMessage ToMessage(string baseUrl, string? token)
    {
        var url = Url.StartsWith("http", StringComparison.Ordinal) ? Url : Url.Length == 0 ? baseUrl : $"{baseUrl}/{Url}";
        var message = new HttpRequestMessage(new HttpMethod(Method), url);
        if (Body is not null)
        {
            message.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(Body));
            message.Content.Headers.TryAddWithoutValidation("Content-Type", ContentType);
        }
        foreach (var (name, value) in Headers.Where(h => !h.Key.Equals("Content-Type", StringComparison.OrdinalIgnoreCase)))
            if (!message.Headers.TryAddWithoutValidation(name, value)) message.Content?.Headers.TryAddWithoutValidation(name, value);
        if (!message.Headers.Contains("Accept")) message.Headers.TryAddWithoutValidation("Accept", "application/fhir+json");
        if (token is not null) message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return message;
    }
}
