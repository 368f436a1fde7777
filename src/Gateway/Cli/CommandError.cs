namespace PmrGateway.Gateway.Cli;

/// <summary>How a command says that it could not do what was asked: one line on stderr, and an exit code.</summary>
internal static class CommandError
{
    /// <summary>Writes the line.</summary>
    /// <param name="message">What is wrong; line breaks become blanks, so that one error stays one line.</param>
    /// <param name="code">The exit code.</param>
    /// <returns>The exit code.</returns>
    public static int Say(string message, int code = 1)
    {
        try
        {
            Console.Error.WriteLine("pmr: " + message.ReplaceLineEndings(" "));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody listens; the exit code says it still.
        }
        return code;
    }
}
