namespace PmrGateway.Gateway.Flows;

/// <summary>What is answered to a request whose body breaks off, comes too slowly or is no HTTP: the fault is the sender's.</summary>
public static class BrokenRequest
{
    /// <summary>The answer, in our words.</summary>
    /// <param name="exception">What the server says of the request.</param>
    public static Outcome Of(BadHttpRequestException exception) => exception.StatusCode switch
    {
        StatusCodes.Status413PayloadTooLarge => Outcome.Of(OutcomeCategory.TooLarge, "the body is too large"),
        StatusCodes.Status408RequestTimeout => Outcome.Of(OutcomeCategory.TooSlow, "the body comes too slowly"),
        _ => Outcome.Of(OutcomeCategory.Malformed, "the request is not well-formed HTTP"),
    };
}
