using PmrGateway.Gateway.Smart;

namespace PmrGateway.Tests.Unit.Gateway;

public class GlassReasonTests
{
    [Theory]
    [InlineData("unconscious, no history", "unconscious, no history")]
    [InlineData(" a\r\n\tb\u2028c\u0000 ", "a b c")]
    [InlineData("\u202eun\u200bconscious\u2066", "unconscious")]
    [InlineData("\u660f\u8ff7", "\u660f\u8ff7")]
    [InlineData("bewu\u00dftlos \U0001F691", "bewu\u00dftlos \U0001F691")]
    public void A_reason_is_what_can_be_read_of_what_was_said(string said, string reason) =>
        Assert.Equal(reason, GlassReason.Of(said));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("?!...")]
    [InlineData("\u200b\u200c\ufeff")]
    [InlineData("\u202e\u2066\u2069")]
    [InlineData("\u0000\u0001\u0085")]
    [InlineData("\u3164\u115f\uffa0")]
    [InlineData("\ue000\ue001\U000E0041\U000E0042")]
    [InlineData("\ud800\ud800")]
    public void What_cannot_be_read_is_no_reason(string? said) => Assert.Null(GlassReason.Of(said));
}
