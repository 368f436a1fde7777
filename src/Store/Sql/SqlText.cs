using System.Text;

namespace PmrGateway.Store;

/// <summary>A statement in the making: text and the values of its parameters, numbered as they come.</summary>
internal sealed class SqlText
{
    private readonly StringBuilder _text = new();
    private readonly List<object?> _values = [];

    public object?[] Values => [.. _values];

    public SqlText Add(string text)
    {
        _text.Append(text);
        return this;
    }

    /// <summary>The place of a value, e.g. $3.</summary>
    public string Value(object? value)
    {
        _values.Add(value);
        return $"${_values.Count}";
    }

    public override string ToString() => _text.ToString();
}
