using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// What a Coding says of its own system: that it is one, has the code, and calls it so. https://hl7.org/fhir/R4/datatypes.html#Coding
/// </summary>
internal static class CodingRules
{
    // Code systems that are published by others than this version of FHIR, with versions of their own: what is here may be behind them.
    private const string OwnVersions = "http://terminology.hl7.org/";

    public static void Check(ValidationRun run, ElementNode coding)
    {
        if (coding["system"] is not { Kind: JsonTokenType.String } system) return;
        var text = system.TextIn(stackalloc char[128]);
        if (!text.Contains(':'))
        {
            run.Sink.Error(IssueCode.Value, system, "the system of a Coding is an absolute URI", "system");
            return;
        }
        if (run.Profiles.Terminology.System(text) is not { } codes)
        {
            Unknown(run, system, text);
            return;
        }
        if (coding["code"] is not { Kind: JsonTokenType.String } code) return;
        var id = code.TextIn(stackalloc char[128]);
        if (!Terminology.Holds(codes, id)) UnknownCode(run, coding, code, system);
        else if (coding["display"] is { Kind: JsonTokenType.String } display) Display(run, text, id, display);
    }

    private static void Unknown(ValidationRun run, ElementNode system, ReadOnlySpan<char> text)
    {
        const string Finding = "the system of a Coding is a code system, not a value set";
        // There are code systems whose URL says value set.
        if (!text.Contains("/ValueSet/", StringComparison.Ordinal)) run.Unknown("code system", text, system);
        else if (run.Profiles.Terminology.ValueSet(text.ToString()) is not null) run.Sink.Error(IssueCode.Value, system, Finding, "system");
        else run.Sink.Warning(IssueCode.Value, system, Finding, "system");
    }

    private static void UnknownCode(ValidationRun run, ElementNode coding, ElementNode code, ElementNode system)
    {
        var finding = $"{IssueSink.Shown(code.Text)} is no code of {IssueSink.Shown(system.Text)}";
        if (coding["version"] is not null || system.Text.StartsWith(OwnVersions, StringComparison.Ordinal))
            run.Sink.Warning(IssueCode.CodeInvalid, coding, finding);
        else run.Sink.Error(IssueCode.CodeInvalid, coding, finding);
    }

    private static void Display(ValidationRun run, ReadOnlySpan<char> system, ReadOnlySpan<char> code, ElementNode display)
    {
        if (run.Profiles.Terminology.WrongDisplay(system, code, display.TextIn(stackalloc char[256])) is not { } expected) return;
        var finding =
            $"the display of {IssueSink.Shown(code.ToString())} is not one of its system, which calls it '{IssueSink.Shown(expected)}'";
        // The names that are here are English.
        var isForeign = run.Document.Root.StringAt("language") is { } language
            && !language.StartsWith("en", StringComparison.OrdinalIgnoreCase);
        if (run.Options.RefusesWrongDisplays && !isForeign) run.Sink.Error(IssueCode.CodeInvalid, display, finding, "display");
        else run.Sink.Warning(IssueCode.CodeInvalid, display, finding, "display");
    }
}
