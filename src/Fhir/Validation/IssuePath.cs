using System.Text;

namespace PmrGateway.Fhir;

/// <summary>The place in a document that a walk has come to, as FHIRPath. Written out only when there is something to say.</summary>
internal sealed class IssuePath
{
    [ThreadStatic]
    private static StringBuilder? _text;

    private readonly List<(string Name, int Index)> _steps = [];

    /// <summary>Goes down to an element.</summary>
    /// <param name="name">Its name, without the type of a choice.</param>
    /// <param name="index">Its place in the array; -1 where it is in none.</param>
    public void Push(string name, int index = -1) => _steps.Add((name, index));

    /// <summary>Goes up again.</summary>
    public void Pop() => _steps.RemoveAt(_steps.Count - 1);

    /// <summary>FHIRPath of the place, e.g. <c>Patient.name[0].given[1]</c>.</summary>
    public override string ToString()
    {
        // One a thread: a path is asked for with every finding.
        var text = (_text ??= new StringBuilder()).Clear();
        foreach (var (name, index) in _steps)
        {
            if (text.Length > 0) text.Append('.');
            text.Append(name);
            if (index >= 0) text.Append('[').Append(index).Append(']');
        }
        return text.ToString();
    }
}
