namespace PmrGateway.Fhir;

/// <summary>
/// Where a validation stands in the document, and what it found. A path is written out only when there is something to say.
/// </summary>
internal sealed class IssueSink(ResourceDocument document, int maxIssues)
{
    private const int MaxShown = 64;
    private readonly IssuePath _path = new();

    public List<ValidationIssue> Issues { get; } = [];

    public int Errors { get; private set; }

    /// <summary>FHIRPath of the place.</summary>
    public string Path => _path.ToString();

    public void Push(string name, int index = -1) => _path.Push(name, index);

    public void Pop() => _path.Pop();

    public void Error(IssueCode code, ElementNode at, string text, string? below = null) => Add(IssueSeverity.Error, code, at, text, below);

    public void Warning(IssueCode code, ElementNode at, string text, string? below = null) =>
        Add(IssueSeverity.Warning, code, at, text, below);

    private void Add(IssueSeverity severity, IssueCode code, ElementNode at, string text, string? below)
    {
        if (severity != IssueSeverity.Warning) Errors++;
        if (Issues.Count >= maxIssues)
        {
            // The list is full; an error still takes the place of a warning, so that the verdict has its reason.
            if (severity == IssueSeverity.Warning
                || Issues.FindLastIndex(i => i.Severity == IssueSeverity.Warning) is not (>= 0 and var last))
                return;
            Issues.RemoveAt(last);
        }
        var (line, column) = document.LineAt(at.PropertyStart);
        var path = below is null ? _path.ToString() : $"{_path}.{below}";
        Issues.Add(new ValidationIssue(severity, code, path, text) { Line = line, Column = column });
    }

    /// <summary>
    /// A name of the sender's, fit for a message: cut, and without control characters, which must not reach a log or a terminal.
    /// </summary>
    public static string Shown(string name, int most = MaxShown)
    {
        if (name.Length <= most && !name.Any(char.IsControl)) return name;
        var clean = new string([.. name.Where(c => !char.IsControl(c)).Take(most)]);
        // A cut in the middle of a character would leave half of it.
        if (clean.Length > 0 && char.IsHighSurrogate(clean[^1])) clean = clean[..^1];
        return clean.Length < name.Length ? clean + "..." : clean;
    }
}
