using System.CommandLine.Parsing;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Hosting;

namespace PmrGateway.Gateway.Cli;

/// <summary>FHIR files for the commands that work without a gateway.</summary>
internal static class FhirInput
{
    private const long MaxBytes = 512L << 20;

    /// <summary>
    /// The limits of the gateway's configuration; where that cannot be read, which is not what is asked here, the default.
    /// </summary>
    public static ResourceLimits Limits { get; } =
        Settings.Read([], out _) is { Limits: var limits } ? new ResourceLimits(limits.MaxDepth, limits.MaxValues) : ResourceLimits.Default;

    /// <summary>JSON as people read it: no escapes for what is no danger in a terminal or a file.</summary>
    public static JsonSerializerOptions PlainJson { get; } = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Refuses a name that begins like an option and is no file: a mistyped option would be taken for one.</summary>
    public static void NoOptions(ArgumentResult files)
    {
        foreach (var token in files.Tokens)
            if (token.Value.StartsWith("--", StringComparison.Ordinal) && !File.Exists(token.Value))
                files.AddError($"there is no option {token.Value}");
    }

    /// <summary>A file's bytes.</summary>
    /// <exception cref="IOException">There is no such file, it is a folder, empty or too large; the text says which.</exception>
    public static byte[] Read(string file)
    {
        if (file.Length == 0) throw new IOException("a file has a name");
        if (Directory.Exists(file)) throw new IOException("it is a folder, not a file");
        var info = new FileInfo(file);
        if (!info.Exists) throw new FileNotFoundException("there is no such file");
        if (info.Length > MaxBytes) throw new IOException($"it has {info.Length} bytes; at most {MaxBytes} are read");
        // Counted while reading as well: a device says that it has no length.
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        using var bytes = new MemoryStream(checked((int)info.Length));
        var buffer = new byte[1 << 16];
        for (int read; (read = stream.Read(buffer)) > 0; bytes.Write(buffer, 0, read))
            if (bytes.Length + read > MaxBytes) throw new IOException($"it has more than {MaxBytes} bytes, which are all that is read");
        return bytes.ToArray();
    }

    /// <summary>Whether a file is read as XML.</summary>
    public static bool IsXml(byte[] bytes, string format) => format == "xml" || (format == "auto" && FhirXml.IsXml(bytes));

    /// <summary>A document of JSON or XML.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="format">json, xml or auto.</param>
    /// <param name="issues">What is wrong with the syntax; empty: nothing.</param>
    public static ResourceDocument? Parse(byte[] bytes, string format, out IReadOnlyList<ValidationIssue> issues)
    {
        issues = [];
        if (IsXml(bytes, format))
        {
            if (FhirXml.ToJson(bytes, out issues) is not { } json || issues.Count > 0) return null;
            bytes = json;
        }
        if (ResourceDocument.TryParse(bytes, out var document, out var issue, Limits)) return document;
        issues = [issue!];
        return null;
    }
}
