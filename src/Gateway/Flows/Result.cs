namespace PmrGateway.Gateway.Flows;

/// <summary>A value, or why there is none.</summary>
/// <typeparam name="T">The value's type.</typeparam>
public readonly struct Result<T>
{
    private readonly T? _value;

    private Result(T? value, Outcome? failure) => (_value, Failure) = (value, failure);

    /// <summary>Why there is no value; null: there is one.</summary>
    public Outcome? Failure { get; }

    /// <summary>The value.</summary>
    /// <exception cref="InvalidOperationException">There is none: <see cref="Failure"/> was not asked.</exception>
    public T Value => Failure is null ? _value! : throw new InvalidOperationException("a failed result has no value");

    /// <summary>A value is a result.</summary>
    public static implicit operator Result<T>(T value) => new(value, null);

    /// <summary>A failure is a result.</summary>
    public static implicit operator Result<T>(Outcome failure) => new(default, failure);
}
