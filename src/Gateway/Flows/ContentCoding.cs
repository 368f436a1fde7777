namespace PmrGateway.Gateway.Flows;

/// <summary>
/// Content-Encoding of what is sent: none is taken, so that nothing grows while it is read, and no Binary is kept in another form than its
/// media type says. https://www.rfc-editor.org/rfc/rfc9110#section-8.4
/// </summary>
public static class ContentCoding
{
    /// <summary>What is answered.</summary>
    public static Outcome Refusal { get; } =
        Outcome.Of(OutcomeCategory.UnsupportedMediaType, "a body is sent as it is: no Content-Encoding is taken");

    /// <summary>Whether a request's body is coded.</summary>
    public static bool IsSent(HttpRequest request) => request.Headers.ContentEncoding
        .SelectMany(v => (v ?? "").Split(','))
        .Any(coding => !coding.Trim().Equals("identity", StringComparison.OrdinalIgnoreCase) && coding.Trim().Length > 0);
}
