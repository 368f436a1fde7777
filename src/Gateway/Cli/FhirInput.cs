using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Cli;

/// <summary>FHIR files for the commands that work without a gateway.</summary>
internal static class FhirInput
{
    private const long MaxBytes = 512L << 20;

    /// <summary>A file's bytes.</summary>
    /// <exception cref="IOException">There is no such file, it is a folder, empty or too large; the text says which.</exception>
    public static byte[] Read(string file)
    {
        if (Directory.Exists(file)) throw new IOException("it is a folder, not a file");
        var info = new FileInfo(file);
        if (!info.Exists) throw new FileNotFoundException("there is no such file");
        if (info.Length > MaxBytes) throw new IOException($"it has {info.Length} bytes; at most {MaxBytes} are read");
        return File.ReadAllBytes(file);
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
        if (ResourceDocument.TryParse(bytes, out var document, out var issue)) return document;
        issues = [issue!];
        return null;
    }
}
